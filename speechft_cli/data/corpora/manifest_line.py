"""One line of a recording list → an utterance. The names of the fields are those that such lists use."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.data.utterance import SPLIT_NAMES, Utterance

#: Our field → the names it may have; the first one present counts, the others are labels like any other field.
FIELDS = {
    "id": ("id",),
    "audio": ("audio", "audio_path", "path", "file", "wav"),
    "start": ("start",),
    "duration": ("duration",),
    "text": ("text", "transcript", "sentence"),
    "phones": ("phones", "phonemes"),
    "speaker": ("speaker", "speaker_id"),
    "language": ("language", "lang"),
    "licence": ("licence", "license"),
    "split": ("split",),
}
_TASK_SPLIT = "split_"


@dataclass(frozen=True)
class Line:
    """What a line says; `split` is its own word for it, `train` when it has none."""

    split: str
    utterance: Utterance


@dataclass(frozen=True)
class _Layout:
    """What the fields of a line are; the lines of a list have few different layouts.

    Attributes:
        names: Our field → its name here, of those that are there.
        labels: Names of the labels.
        task_splits: Names of the fields that hold a task's split.
    """

    names: Mapping[str, str]
    labels: tuple[str, ...]
    task_splits: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def _layout(fields: tuple[str, ...]) -> _Layout:
    there = {ours: [name for name in theirs if name in fields] for ours, theirs in FIELDS.items()}
    names = {ours: theirs[0] for ours, theirs in there.items() if theirs}
    others = [name for name in fields if name not in names.values()]
    return _Layout(
        names,
        tuple(name for name in others if not name.startswith(_TASK_SPLIT)),
        tuple(name for name in others if name.startswith(_TASK_SPLIT)),
    )


class _Fields:
    """The fields of one line, and what is wrong with them so far."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.values = fields
        self.layout = _layout(tuple(fields))
        self.names = self.layout.names
        self.problems: list[str] = []

    def text(self, field: str) -> str | None:
        """Returns a text field, None when absent; whole numbers are taken as text."""
        name = self.names.get(field)
        if name is None:
            return None
        value = self.values[name]
        if isinstance(value, str):
            return value or None
        if value is None or is_text(value):
            return None if value is None else str(value)
        self.problems.append(f"{name}: must be text, got {value!r}")
        return None

    def seconds(self, field: str, *, least: float) -> float:
        """Returns a time [s] above or at `least`, 0 when absent."""
        name = self.names.get(field)
        value = None if name is None else self.values[name]
        if value is None or value == "":
            return 0.0
        try:
            number = float(value) if isinstance(value, str | int | float) and value is not True else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number) and number >= least:
            return number
        self.problems.append(f"{name}: must be a number of seconds{' above 0' if least else ''}, got {value!r}")
        return 0.0


def is_text(value: object) -> bool:
    """Whether a value can be a text or label: a string or a whole number."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def parse_line(fields: Mapping[str, object], folder: Path) -> Line:
    """Returns what a line says.

    Args:
        fields: Name → value, as JSON or CSV has it; None and "" mean absent.
        folder: What the audio path is relative to.

    Raises:
        ValueError: The line is wrong; the message lists everything that is.
    """
    known = _Fields(fields)
    audio = known.text("audio")
    if audio is None and not known.problems:
        known.problems.append(f"must have one of the fields {', '.join(FIELDS['audio'])}")
    start = known.seconds("start", least=0.0)
    utterance = Utterance(
        id=known.text("id") or _name(audio or "", start),
        audio=folder / (audio or ""),
        start=start,
        duration=known.seconds("duration", least=1e-3),
        text=known.text("text"),
        phones=known.text("phones"),
        speaker=known.text("speaker"),
        language=known.text("language"),
        licence=known.text("licence"),
        labels=_labels(known),
        task_splits=_task_splits(known),
    )
    split = known.text("split") or "train"
    if known.problems:
        raise ValueError("; ".join(known.problems))
    return Line(split, utterance)


def _name(audio: str, start: float) -> str:
    name = os.path.splitext(os.path.normpath(audio))[0] if audio else ""  # noqa: PTH122  # a Path costs five times as much
    return f"{name}@{start:g}" if start else name


def _labels(known: _Fields) -> dict[str, str]:
    if not known.layout.labels:
        return {}
    values = ((name, known.values[name]) for name in known.layout.labels)
    return {name: str(value) for name, value in values if value != "" and is_text(value)}


def _task_splits(known: _Fields) -> dict[str, str]:
    """Returns task → split; an empty field means that the task leaves the utterance out."""
    found = {}
    for name in known.layout.task_splits:
        value = known.values[name]
        if value is not None and value != "" and value not in SPLIT_NAMES:
            known.problems.append(f"{name}: must be one of {', '.join(SPLIT_NAMES)}, or empty, got {value!r}")
        else:
            found[name.removeprefix(_TASK_SPLIT)] = SPLIT_NAMES.get(str(value), "")
    return found
