"""One utterance: the unit of every manifest, batch and score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Seconds = float

#: The splits every manifest folder may have; "dev" is also what others call valid or validation.
SPLITS = ("train", "dev", "test")

#: What corpora call them → our names.
SPLIT_NAMES = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "test": "test"}

_FIELDS = ("text", "phones", "speaker")


@dataclass(frozen=True)
class Utterance:
    """A stretch of a recording and what is known about it.

    Attributes:
        id: Unique in its manifest folder.
        audio: The recording.
        start: Where the utterance begins in the recording [s].
        duration: Its length [s]; 0 from a corpus reader that has not opened the file means "to its end".
        sample_rate: Of the recording [Hz]; 0 when not opened yet.
        text: Transcript as the corpus has it.
        phones: Phonemes separated by blanks.
        speaker: Speaker name.
        labels: Other labels by name, for example `{"label": "yes"}` or `{"emotion": "sad"}`.
        task_splits: Task → split, where a task uses other splits than the manifest's own, for example
            `{"sid": "test"}`; an empty split means that the task leaves the utterance out.
    """

    id: str
    audio: Path
    start: Seconds = 0.0
    duration: Seconds = 0.0
    sample_rate: int = 0
    text: str | None = None
    phones: str | None = None
    speaker: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    task_splits: Mapping[str, str] = field(default_factory=dict)

    def target(self, field: str) -> str | None:
        """Returns `text`, `phones`, `speaker` or the label called `field`; None when there is no such thing.

        Several fields joined by `+` give their values joined by tabs, None unless all are there.
        """
        names = field.split("+")
        values = [getattr(self, name) if name in _FIELDS else self.labels.get(name) for name in names]
        there = [value for value in values if value is not None]
        return "\t".join(there) if len(there) == len(names) else None
