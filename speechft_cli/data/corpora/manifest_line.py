"""One line of a recording list → an utterance. The names of the fields are those that such lists use."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
#: Fields that are times → the least they may be [s].
_LEAST = {"start": 0.0, "duration": 1e-3}
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
        texts: (our field, its name here) of the fields of text that are there.
        seconds: (our field, its name here, its least value) of the times that are there.
        labels: Names of the labels.
        task_splits: Names of the fields that hold a task's split.
    """

    texts: tuple[tuple[str, str], ...]
    seconds: tuple[tuple[str, str, float], ...]
    labels: tuple[str, ...]
    task_splits: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def _layout(fields: tuple[str, ...]) -> _Layout:
    there = {ours: [name for name in theirs if name in fields] for ours, theirs in FIELDS.items()}
    names = {ours: theirs[0] for ours, theirs in there.items() if theirs}
    others = [name for name in fields if name not in names.values()]
    return _Layout(
        tuple((ours, name) for ours, name in names.items() if ours not in _LEAST),
        tuple((ours, names[ours], least) for ours, least in _LEAST.items() if ours in names),
        tuple(name for name in others if not name.startswith(_TASK_SPLIT)),
        tuple(name for name in others if name.startswith(_TASK_SPLIT)),
    )


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
    layout = _layout(tuple(fields))
    problems: list[str] = []
    known: dict[str, Any] = {}
    for field, name in layout.texts:
        value = fields[name]
        if isinstance(value, str):
            if value:
                known[field] = value
        elif is_text(value):
            known[field] = str(value)
        elif value is not None:
            problems.append(f"{name}: must be text, got {value!r}")
    for field, name, least in layout.seconds:
        known[field] = _seconds(name, fields[name], least, problems)
    if layout.labels:
        known["labels"] = _labels(layout, fields)
    if layout.task_splits:
        known["task_splits"] = _task_splits(layout, fields, problems)
    audio = known.pop("audio", None)
    if audio is None and not problems:
        problems.append(f"must have one of the fields {', '.join(FIELDS['audio'])}")
    if problems:
        raise ValueError("; ".join(problems))
    split = known.pop("split", "train")
    name = known.pop("id", None) or _name(audio, known.get("start", 0.0))
    return Line(split, Utterance(name, folder / audio, **known))


def _seconds(name: str, value: object, least: float, problems: list[str]) -> float:
    """Returns a time [s] above or at `least`, 0 when absent."""
    if value is None or value == "":
        return 0.0
    try:
        number = float(value) if isinstance(value, str | int | float) and value is not True else math.nan
    except ValueError:
        number = math.nan
    if math.isfinite(number) and number >= least:
        return number
    problems.append(f"{name}: must be a number of seconds{' above 0' if least else ''}, got {value!r}")
    return 0.0


def _name(audio: str, start: float) -> str:
    name = os.path.splitext(os.path.normpath(audio))[0]  # noqa: PTH122  # a Path costs five times as much
    return f"{name}@{start:g}" if start else name


def _labels(layout: _Layout, fields: Mapping[str, object]) -> dict[str, str]:
    values = ((name, fields[name]) for name in layout.labels)
    return {name: str(value) for name, value in values if value != "" and is_text(value)}


def _task_splits(layout: _Layout, fields: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    """Returns task → split; an empty field means that the task leaves the utterance out."""
    found = {}
    for name in layout.task_splits:
        value = fields[name]
        if value is not None and value != "" and value not in SPLIT_NAMES:
            problems.append(f"{name}: must be one of {', '.join(SPLIT_NAMES)}, or empty, got {value!r}")
        else:
            found[name.removeprefix(_TASK_SPLIT)] = SPLIT_NAMES.get(str(value), "")
    return found
