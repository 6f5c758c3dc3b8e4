"""Lists of real recordings for the experiments beside this file, from packages of packed speech.

A package is a folder with `manifest.jsonl`: id, audio, duration, speaker, split (train, valid, test) and labels.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Unlabelled speech of many languages; all of it may be trained on.
UNLABELLED = "dev-pretrain"
#: Read English with phonemes.
READ = "dev-read/asr-libri"
#: Single words of many speakers.
WORDS = "dev-words/kws-sc9"
#: Spoken digits of a few speakers.
DIGITS = "dev-words/kws-fsdd"
#: Acted emotions.
EMOTIONS = "dev-words/emotion-emodb"

#: One speaker in so many of the unlabelled speech is dev.
_DEV = 33


def write_pretraining_list(packages: Path, file: Path) -> None:
    """Writes the recordings to pre-train on: no utterance, and no speaker, that a probe is selected or tested on."""
    lines = []
    for row in _rows(packages / UNLABELLED):
        digest = int(hashlib.sha256(str(row["speaker"]).encode()).hexdigest(), 16)
        lines.append(_line(row, split="dev" if digest % _DEV == 0 else "train"))
    for row in _rows(packages / READ):
        # one split keeps speakers apart, the other is for speaker identification: train of both
        if row["split"] == row["split_sid"] == "train":
            lines.append(_line({"licence": "CC-BY-4.0", **row}, split="train"))
    _write(file, lines)


def write_probing_list(package: Path, file: Path, *, needs: str | None = None, every: Mapping[str, int] = {}) -> None:
    """Writes recordings of a labelled package, its label under the name that the tasks ask for.

    Args:
        package: Its folder.
        file: To write.
        needs: The field that a recording must have.
        every: Split → one in how many of its recordings is taken; all of the splits that are not named.
    """
    name = {"kws-sc9": "keyword", "emotion-emodb": "emotion"}.get(package.name, "label")
    seen: Counter[str] = Counter()
    lines = []
    for row in _rows(package):
        split = str(row["split"])
        if needs is not None and row.get(needs) is None:
            continue
        if seen[split] % every.get(split, 1) == 0:
            lines.append(_line(row, split=split) | _labels(row, name))
        seen[split] += 1
    _write(file, lines)


def _rows(package: Path) -> Iterator[dict[str, object]]:
    with (package / "manifest.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row | {"audio": str(package.absolute() / row["audio"])}


def _line(row: Mapping[str, object], *, split: str) -> dict[str, object]:
    kept = {key: row[key] for key in ("id", "audio", "duration", "speaker", "language", "licence") if key in row}
    return kept | {"split": split}


def _labels(row: Mapping[str, object], name: str) -> dict[str, object]:
    labels = {key: row[key] for key in ("text", "phones", "split_sid") if row.get(key) is not None}
    return labels | {name: row["label"]}


def _write(file: Path, lines: list[dict[str, object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
