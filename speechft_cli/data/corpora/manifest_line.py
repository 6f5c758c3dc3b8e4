"""One line of a recording list → an utterance. The names of the fields are those that such lists use."""

from __future__ import annotations

import math
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
    "split": ("split",),
}
_TASK_SPLIT = "split_"


@dataclass(frozen=True)
class Line:
    """What a line says; `split` is its own word for it, `train` when it has none."""

    split: str
    utterance: Utterance


class _Fields:
    """The fields of one line, and what is wrong with them so far."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.values = {name: value for name, value in fields.items() if value is not None and value != ""}
        self.names = {
            ours: next((name for name in theirs if name in fields), theirs[0]) for ours, theirs in FIELDS.items()
        }
        self.problems: list[str] = []

    def text(self, field: str) -> str | None:
        """Returns a text field, None when absent; whole numbers are taken as text."""
        name = self.names[field]
        value = self.values.get(name)
        if value is None or is_text(value):
            return None if value is None else str(value)
        self.problems.append(f"{name}: must be text, got {value!r}")
        return None

    def seconds(self, field: str, *, least: float) -> float:
        """Returns a time [s] above or at `least`, 0 when absent."""
        name = self.names[field]
        value = self.values.get(name, 0.0)
        try:
            number = float(value) if isinstance(value, str | int | float) and value is not True else math.nan
        except ValueError:
            number = math.nan
        if math.isfinite(number) and (number >= least or name not in self.values):
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
        labels=_labels(known),
        task_splits=_task_splits(fields, known),
    )
    split = known.text("split") or "train"
    if known.problems:
        raise ValueError("; ".join(known.problems))
    return Line(split, utterance)


def _name(audio: str, start: float) -> str:
    name = Path(audio).with_suffix("").as_posix() if audio else ""
    return f"{name}@{start:g}" if start else name


def _labels(known: _Fields) -> dict[str, str]:
    taken = set(known.names.values())
    return {
        name: str(value)
        for name, value in known.values.items()
        if name not in taken and not name.startswith(_TASK_SPLIT) and is_text(value)
    }


def _task_splits(fields: Mapping[str, object], known: _Fields) -> dict[str, str]:
    """Returns task → split; an empty field means that the task leaves the utterance out."""
    found = {}
    for name, value in fields.items():
        if name.startswith(_TASK_SPLIT):
            if value is not None and value != "" and value not in SPLIT_NAMES:
                known.problems.append(f"{name}: must be one of {', '.join(SPLIT_NAMES)}, or empty, got {value!r}")
            else:
                found[name.removeprefix(_TASK_SPLIT)] = SPLIT_NAMES.get(str(value), "")
    return found
