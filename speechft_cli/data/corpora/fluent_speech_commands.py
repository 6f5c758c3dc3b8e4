"""Fluent Speech Commands: `data/{train,valid,test}_data.csv` and `wavs/speakers/<speaker>/*.wav`."""

from __future__ import annotations

from collections.abc import Iterator

from speechft_cli.data.corpora.layout import choose_parts, gender_label, missing, read_rows, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://fluent.ai/fluent-speech-commands-a-dataset-for-spoken-language-understanding-research/"
_PARTS = {"train": "train", "dev": "valid", "test": "test"}
_SLOTS = ("action", "object", "location")


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads the official split with its three slots; no two splits share a speaker."""
    root = top_folder(request.root, "fluent_speech_commands_dataset")
    lists = {part: root / "data" / f"{part}_data.csv" for part in _PARTS.values()}
    there = [part for part, path in lists.items() if path.is_file()]
    if not there:
        raise missing(root, "data/train_data.csv", _PAGE)
    speakers = root / "data" / "speaker_demographics.csv"
    genders = {row["speakerId"]: row.get("gender", "") for row in read_rows(speakers)} if speakers.is_file() else {}
    default = {split: [part] for split, part in _PARTS.items()}
    for split, part in choose_parts(root / "data", there, splits=request.splits, default=default):
        for row in read_rows(lists[part], needs=("path", "speakerId", "transcription", *_SLOTS)):
            audio = root / row["path"]
            if absent := [slot for slot in _SLOTS if not row[slot]]:
                yield Rejected(audio.stem, audio, split, "row without all slots", ", ".join(absent))
                continue
            yield (
                split,
                Utterance(
                    audio.stem,
                    audio,
                    text=row["transcription"] or None,
                    speaker=row["speakerId"] or None,
                    labels={slot: row[slot] for slot in _SLOTS} | gender_label(genders.get(row["speakerId"], "")),
                ),
            )


FLUENT_SPEECH_COMMANDS = Corpus(
    read, language="en", licence="Fluent Speech Commands licence, research only", page=_PAGE
)
