"""One utterance: the unit of every manifest, batch and score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechft_cli.data.columns import Row

Seconds = float

#: The splits every manifest folder may have; "dev" is also what others call valid or validation.
SPLITS = ("train", "dev", "test")

#: What corpora call them → our names.
SPLIT_NAMES = {"train": "train", "dev": "dev", "valid": "dev", "validation": "dev", "val": "dev", "test": "test"}

#: Fields of an utterance that can be a task's target, as its labels can.
TARGETS = ("id", "text", "phones", "speaker", "language")


def field_in_words(field: str) -> str:
    """Returns what a field takes: `action+object` -> `action and object`, `query?+text?` -> `query or text`."""
    parts = [each for each in field.split("+") if each not in ("id", "duration")]  # which every utterance has
    needed = [each for each in parts if not each.endswith("?")]
    *names, last = needed or [each.removesuffix("?") for each in parts]
    return f"{', '.join(names)} {'and' if needed else 'or'} {last}" if names else last


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of a recording and what is known about it.

    Attributes:
        id: Unique in its manifest folder.
        audio: The recording, or the archive it lies in.
        start: Where the utterance begins in the recording [s].
        duration: Its length [s]; 0 from a corpus reader that has not opened the file means "to its end".
        sample_rate: Of the recording [Hz]; 0 when not opened yet.
        text: Transcript as the corpus has it.
        normalised: Transcript as it is to be learned, where it differs from `text`; None when nobody normalised it.
        phones: Phonemes separated by blanks.
        speaker: Speaker name.
        language: Language tag, for example `en` or `de`.
        licence: What the recording may be used under, for example `CC-BY-4.0`.
        labels: Other labels by name, for example `{"label": "yes"}` or `{"emotion": "sad"}`.
        task_splits: Task → split, where a task uses other splits than the manifest's own, for example
            `{"sid": "test"}`; an empty split means that the task leaves the utterance out.
        offset: Where the recording begins in the archive `audio` [bytes].
        size: Length of the recording in the archive [bytes]; 0 when `audio` is the recording itself.
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
    normalised: str | None = None
    language: str | None = None
    licence: str | None = None
    offset: int = 0
    size: int = 0

    def target(self, field: str) -> str | None:
        """Returns the transcript, `phones`, `speaker`, `language`, `id` or the label called `field`; None without one.

        The transcript is the normalised one where there is one; `duration` is in seconds. Several fields joined by `+`
        give their values joined by tabs, None unless all are there; one with `?` after its name may be missing and is
        then "".
        """
        return target_of(self, field, self.labels.get)


def target_of(what: Utterance | Row, field: str, label: Callable[[str], str | None]) -> str | None:
    """Returns what `Utterance.target(field)` says of an utterance or of its row; `label` gives a label by its name."""

    def one(name: str) -> str | None:
        if name.endswith("?"):
            return one(name.removesuffix("?")) or ""
        if name == "text":
            return what.text if what.normalised is None else what.normalised
        if name == "duration":
            return duration_text(what.duration)
        if name in TARGETS:
            value: str | None = getattr(what, name)
            return value
        return label(name)

    return join_targets([one(name) for name in field.split("+")])


def join_targets(values: Sequence[str | None]) -> str | None:
    """Returns the values of several fields as one target, None unless all are there."""
    there = [value for value in values if value is not None]
    return "\t".join(there) if len(there) == len(values) else None


def duration_text(duration: Seconds) -> str:
    """Returns a duration as a target: seconds, to the millisecond."""
    return f"{duration:.3f}"
