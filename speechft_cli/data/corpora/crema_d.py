"""CREMA-D: `AudioWAV/<actor>_<sentence>_<emotion>_<level>.wav`, acted emotions."""

from __future__ import annotations

from collections.abc import Iterator

from speechft_cli.data.corpora.layout import gender_label, missing, read_rows, recordings, split_by_part, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://github.com/CheyneyComputerScience/CREMA-D"
_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified", "X": "unspecified"}
_SENTENCES = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads six emotions. Actors are the parts; a tenth of them is dev, a tenth test, drawn by seed."""
    root = top_folder(request.root, "CREMA-D")
    folder = root / "AudioWAV"
    files = recordings(folder)
    if not files:
        raise missing(root, "AudioWAV", _PAGE)
    path = root / "VideoDemographics.csv"
    genders = (
        {row["ActorID"]: row["Sex"] for row in read_rows(path, needs=("ActorID", "Sex"))} if path.is_file() else {}
    )
    named = {name: audio.stem.upper().split("_") for name, audio in files.items()}
    actors = {parts[0] for parts in named.values() if len(parts) == 4}
    split_of = split_by_part(folder, actors, splits=request.splits, seed=request.seed)
    for name, audio in files.items():
        actor, sentence, emotion, level = named[name] if len(named[name]) == 4 else ("", "", "", "")
        if emotion not in _EMOTIONS:
            yield Rejected(audio.stem, audio, "train", "name without actor and emotion")
        elif actor in split_of:
            labels = {"emotion": _EMOTIONS[emotion], "level": _LEVELS.get(level, level.lower())}
            labels |= gender_label(genders.get(actor, ""))
            yield (
                split_of[actor],
                Utterance(audio.stem, audio, text=_SENTENCES.get(sentence), speaker=actor, labels=labels),
            )


CREMA_D = Corpus(read, language="en", licence="ODbL 1.0", page=_PAGE)
