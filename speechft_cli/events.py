"""What engines say while they work: plain data, so that any front end can show it.

An engine gets a `Report` (a function that takes an event) and calls it; it never prints. `ignore` is the Report
of a caller that does not want to hear anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Started:
    """A piece of work begins; `total` is in `unit`, None when it can't be known."""

    what: str
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True)
class Advanced:
    """The piece of work begun last has come `done` units far in all."""

    done: int
    note: str = ""


@dataclass(frozen=True)
class Finished:
    """The piece of work begun last is over."""

    note: str = ""


@dataclass(frozen=True)
class TrainingStep:
    """One log step of a training run.

    Attributes:
        step: Optimizer updates made.
        steps: Optimizer updates in all.
        stage: frozen, warm-up, hold or decay.
        loss: Mean training loss since the last log step.
        learning_rate: Of the head; the encoder's is the same or, while frozen, unused.
        gradient_norm: Before clipping.
        audio_rate: Seconds of audio trained on per second of time.
        remaining: Estimated seconds until the end.
        score: Last dev score, for example `WER 41.20 %`; empty before the first evaluation.
        best: Best dev score so far, for example `39.10 %`; empty before there is one.
        waiting: Share of the time in which no data was there to train on.
        skipped: Updates left out so far because their gradient was not finite.
    """

    step: int
    steps: int
    stage: str
    loss: float
    learning_rate: float
    gradient_norm: float
    audio_rate: float
    remaining: float
    score: str = ""
    best: str = ""
    waiting: float = 0.0
    skipped: int = 0


@dataclass(frozen=True)
class DeviceMemory:
    """How much of a GPU's memory this process has held at most, and how much there is [bytes]."""

    peak: int
    total: int


@dataclass(frozen=True)
class Note:
    """Something worth saying that is no error; `important` notes are shown even with -q, a `detail` only with -v."""

    text: str
    important: bool = False
    detail: bool = False


@dataclass(frozen=True)
class Table:
    """A small table of results, the cells already formatted; `best` holds (row, column) to be marked."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = field(default_factory=frozenset)


Event = Started | Advanced | Finished | TrainingStep | DeviceMemory | Note | Table
Report = Callable[[Event], None]


@dataclass(frozen=True)
class Result:
    """What an engine did.

    Attributes:
        summary: One line: what was done and what came out.
        output: Where it lies.
        next_command: What a user does next; may be empty.
        data: The machine-readable result that `--json` prints: str, numbers, lists, mappings.
    """

    summary: str
    output: str
    next_command: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


def ignore(event: Event) -> None:
    """The Report of a caller that does not want to hear anything."""
    del event


def counted(things: Iterable[T], report: Report, what: str, total: int, unit: str) -> Iterator[T]:
    """Yields `things` as one piece of work, and tells after each how many are done."""
    report(Started(what, total, unit))
    for done, thing in enumerate(things, start=1):
        yield thing
        report(Advanced(done))
    report(Finished())
