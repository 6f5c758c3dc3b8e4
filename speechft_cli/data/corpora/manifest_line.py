"""One line of a recording list → an utterance. The names of the fields are those that such lists use."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from speechft_cli.data.columns import Row
from speechft_cli.data.items import join_path
from speechft_cli.data.utterance import SPLIT_NAMES
from speechft_cli.data.utterances import labels_text

#: Our field → the names it may have; the first one present counts, the others are labels like any other field.
FIELDS = {
    "id": ("id",),
    "audio": ("audio", "audio_path", "audio_filepath", "path", "file", "file_name", "wav"),
    "start": ("start", "offset"),
    "duration": ("duration",),
    "end": ("end",),
    "text": ("text", "transcript", "transcription", "sentence"),
    "phones": ("phones", "phonemes"),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "language": ("language", "lang", "locale"),
    "licence": ("licence", "license"),
    "split": ("split",),
}
#: Fields that are times → the least they may be [s].
_LEAST = {"start": 0.0, "duration": 1e-3, "end": 1e-3}
_SLACK = 0.01  # by which the end may miss start + duration, which lists round [s]
_TASK_SPLIT = "split_"
_SHOWN = 40  # characters of a wrong value, which may be all of a table


@dataclass(frozen=True)
class _Layout:
    """What the fields of a line are; the lines of a list have few different layouts.

    Attributes:
        texts: (our field, its name here) of the fields of text that are there.
        times: Our field → its name here, of the fields that are times.
        labels: Names of the labels.
        task_splits: Names of the fields that hold a task's split.
    """

    texts: tuple[tuple[str, str], ...]
    times: Mapping[str, str]
    labels: tuple[str, ...]
    task_splits: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def _layout(fields: tuple[str, ...]) -> _Layout:
    there = {ours: [name for name in theirs if name in fields] for ours, theirs in FIELDS.items()}
    names = {ours: theirs[0] for ours, theirs in there.items() if theirs}
    others = [name for name in fields if name not in names.values()]
    return _Layout(
        tuple((ours, name) for ours, name in names.items() if ours not in _LEAST),
        {ours: name for ours, name in names.items() if ours in _LEAST},
        tuple(name for name in others if not name.startswith(_TASK_SPLIT)),
        tuple(name for name in others if name.startswith(_TASK_SPLIT)),
    )


def as_text(value: object) -> str | None:
    """Returns a value that can be a text or a label: a string or a whole number; None for all others."""
    if isinstance(value, float) and value.is_integer():  # pandas writes 3 as 3.0 where another row has none
        return str(int(value))
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def parse_line(fields: Mapping[str, object], folder: str) -> tuple[str, Row]:
    """Returns what a line says: its own word for the split, `train` when it has none, and the utterance.

    Args:
        fields: Name → value, as JSON or CSV has it; None and "" mean absent.
        folder: What the audio path is relative to, absolute.

    Raises:
        ValueError: The line is wrong; the message lists everything that is.
    """
    layout = _layout(tuple(fields))
    problems: list[str] = []
    texts: dict[str, str] = {}
    for field, name in layout.texts:
        value = fields[name]
        if isinstance(value, str):
            if value:
                texts[field] = value
        elif (text := as_text(value)) is not None:
            texts[field] = text
        elif value is not None:
            problems.append(f"{name}: must be text, got {repr(value)[:_SHOWN]}")
    start, duration = _stretch(layout, fields, problems)
    labels = _labels(layout, fields) if layout.labels else {}
    task_splits = _task_splits(layout, fields, problems) if layout.task_splits else {}
    audio = texts.get("audio")
    if audio is None and not problems:
        problems.append(f"must have one of the fields {', '.join(FIELDS['audio'])}")
    if problems or audio is None:
        raise ValueError("; ".join(problems))
    known = texts.get
    row = Row(
        start,
        duration,
        0,
        0,
        0,
        known("id") or _name(audio, start),
        join_path(folder, audio),
        known("text"),
        None,
        known("phones"),
        known("speaker"),
        known("language"),
        known("licence"),
        labels_text(labels),
        labels_text(task_splits),
    )
    return known("split") or "train", row


def _stretch(layout: _Layout, fields: Mapping[str, object], problems: list[str]) -> tuple[float, float]:
    """Returns start and duration [s]; a list may say the end in place of the duration."""
    times = {ours: _seconds(name, fields[name], _LEAST[ours], problems) for ours, name in layout.times.items()}
    start, duration, end = (times.get(ours, 0.0) for ours in ("start", "duration", "end"))
    if not end:
        return start, duration
    name = layout.times["end"]
    if duration and abs(start + duration - end) > _SLACK:
        problems.append(f"{name}: must be start + duration, {start + duration:g} s, got {fields[name]!r}")
    elif end <= start:
        problems.append(f"{name}: must be after the start, {start:g} s, got {fields[name]!r}")
    return start, duration or round(end - start, 6)


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
    if "//" in audio or "./" in audio or "/." in audio or audio.startswith(".") or audio.endswith("/"):
        name = os.path.splitext(os.path.normpath(audio))[0]  # noqa: PTH122  # a Path costs five times as much
    else:
        stem, dot, ending = audio.rpartition(".")
        name = stem if dot and "/" not in ending else audio
    return f"{name}@{start:g}" if start else name


def _labels(layout: _Layout, fields: Mapping[str, object]) -> dict[str, str]:
    values = ((name, as_text(fields[name])) for name in layout.labels)
    return {name: value for name, value in values if value}


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
