"""EmoDB (Berlin): `wav/<speaker><sentence><emotion><version>.wav`, acted emotions, German."""

from __future__ import annotations

import re
from collections.abc import Iterator

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import missing, recordings, split_by_part, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "http://emodb.bilderbar.info/"
_ARCHIVES = (Archive(f"{_PAGE}download/download.zip", "emodb"),)
#: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_MEN = frozenset({"03", "10", "11", "12", "15"})
_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME = re.compile(r"(\d\d)([ab]\d\d)([a-z])([a-z])")


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads seven emotions. Speakers are the parts; one of the ten is dev, one test, drawn by seed."""
    root = top_folder(request.root, "emodb")
    folder = root / "wav"
    files = recordings(folder)
    if not files:
        raise missing(root, "wav", _PAGE)
    named = {name: _NAME.fullmatch(name) for name in files}
    split_of = split_by_part(
        folder, {match[1] for match in named.values() if match}, splits=request.splits, seed=request.seed
    )
    for name, audio in files.items():
        match = named[name]
        if match is None or match[3].upper() not in _EMOTIONS:
            yield Rejected(audio.stem, audio, "train", "name without speaker and emotion")
        elif match[1] in split_of:
            labels = {"emotion": _EMOTIONS[match[3].upper()], "gender": "male" if match[1] in _MEN else "female"}
            yield (
                split_of[match[1]],
                Utterance(audio.stem, audio, text=_SENTENCES.get(match[2]), speaker=match[1], labels=labels),
            )


EMODB = Corpus(read, language="de", licence="CC0 1.0", page=_PAGE, archives=_ARCHIVES)
