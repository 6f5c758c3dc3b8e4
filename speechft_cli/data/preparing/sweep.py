"""Corpus → journal: every utterance inspected, by several processes, in corpus order."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from speechft_cli.data.preparing.inspection import Inspected, Limits, Task, inspect
from speechft_cli.data.preparing.inspectors import inspectors
from speechft_cli.data.preparing.journal import Journal
from speechft_cli.data.utterance import Seconds
from speechft_cli.data.verdicts import Good, Item, pack_items, unpack_verdicts
from speechft_cli.data.workers import AHEAD, Workers

_CHUNK = 512  # utterances in a task
_STEP = 32  # utterances read before the workers are looked after again

#: Told how many utterances are done, and of how many once that is known.
Tell = Callable[[int, int | None], None]


class Fill:
    """How much of each split there is, in corpus order; one that would get more than `hours` is full from then on."""

    def __init__(self, hours: float | None) -> None:
        self.limit: Seconds | None = None if hours is None else hours * 3600
        self.full: set[str] = set()
        self._seconds: defaultdict[str, Seconds] = defaultdict(float)

    def takes(self, split: str, duration: Seconds) -> bool:
        """Whether there is room for the next utterance."""
        if split in self.full:
            return False
        if self.limit is not None and self._seconds[split] + duration > self.limit:
            self.full.add(split)
            return False
        self._seconds[split] += duration
        return True


@dataclass
class Sweep:
    """Inspects a corpus, going on where the journal ends; iterating does the work and gives the verdicts, in order.

    Attributes:
        found: What a corpus reader yields.
        journal: Where the verdicts go; None with `limits` None.
        scratch: Folder for nameless files; None for the system's own.
        limits: What utterances must keep to; None to learn only whether anything changed.
        hours: Most of each split that is wanted [h]; None for all.
        workers: How many processes.
        tell: Told how far it is.
        listing: When all is done, the hash of what the reader found and of the state of all files.
    """

    found: Iterable[Item]
    journal: Journal | None
    scratch: Path | None
    limits: Limits | None
    hours: float | None
    workers: int
    tell: Tell
    listing: str = ""

    def __iter__(self) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            backlog = _Backlog(stack.enter_context(tempfile.TemporaryFile(dir=self.scratch)), _chunks(self.found))
            while not backlog.is_complete and len(backlog) < 2:
                backlog.read_on()
            commit = _Commit(self.journal, backlog, self.limits, Fill(self.hours), self.tell)
            if len(backlog) < 2:  # not worth a process
                for number in range(len(backlog)):
                    yield commit(number, inspect(commit.task(number)))
            else:
                pool = stack.enter_context(inspectors(self.workers))
                yield from _run(backlog, commit, pool, ahead=AHEAD * self.workers)
        if self.journal is not None:
            self.journal.cut(len(backlog))
        self.listing = commit.digest.hexdigest()


def _run(backlog: _Backlog, commit: _Commit, pool: Workers[Task, Inspected], *, ahead: int) -> Iterator[bytes]:
    begun = committed = 0
    done: dict[int, Inspected] = {}
    while not backlog.is_complete or committed < len(backlog):
        while pool.is_idle and begun < min(len(backlog), committed + ahead):
            pool.begin(begun, commit.task(begun))
            begun += 1
        # results are only waited for when there is nothing else to do
        done |= dict(pool.results(is_waiting=committed not in done and backlog.is_complete))
        if committed in done:
            yield commit(committed, done.pop(committed))
            committed += 1
        elif not backlog.is_complete:
            backlog.read_on()


class _Backlog:
    """What the reader found so far, on disk: it may be far ahead of the workers, so that the total is soon known."""

    def __init__(self, file: IO[bytes], chunks: Iterator[tuple[bytes, int] | None]) -> None:
        self._file = file
        self._chunks = chunks
        self._places: list[tuple[int, int]] = []
        self._end = 0
        self.items = 0  # in all chunks so far
        self.is_complete = False

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> bytes:
        begin, length = self._places[number]
        self._file.seek(begin)
        return self._file.read(length)

    def read_on(self) -> None:
        """Reads a step of the corpus."""
        try:
            step = next(self._chunks)
        except StopIteration:
            self.is_complete = True
            return
        if step is not None:
            chunk, count = step
            self.items += count
            self._file.seek(self._end)
            self._file.write(chunk)
            self._places.append((self._end, len(chunk)))
            self._end += len(chunk)


@dataclass
class _Commit:
    """Takes results in order."""

    journal: Journal | None
    backlog: _Backlog
    limits: Limits | None
    fill: Fill
    tell: Tell
    done: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def task(self, number: int) -> Task:
        """Returns a task."""
        known = b"" if self.journal is None else self.journal.state(number)
        return Task(self.backlog[number], self.limits, frozenset(self.fill.full), known)

    def __call__(self, number: int, inspected: Inspected) -> bytes:
        """Takes the next result and returns the verdicts."""
        text = inspected.verdicts or b""
        if self.journal is not None:
            if inspected.verdicts is None and number >= len(self.journal):
                # it was as the journal knew it, but something before it was not, and the journal was cut there
                inspected = inspect(self.task(number))
                text = inspected.verdicts or b""
            if inspected.verdicts is not None:
                self.journal.cut(number)
                self.journal.append(inspected)
            else:
                (text,) = self.journal.verdicts(number, number + 1)
            if self.fill.limit is not None:
                for verdict in unpack_verdicts(text):
                    if isinstance(verdict, Good):
                        self.fill.takes(verdict.split, verdict.row.duration)
        self.digest.update(inspected.state)
        self.done = min(self.done + _CHUNK, self.backlog.items)
        self.tell(self.done, self.backlog.items if self.backlog.is_complete else None)
        return text


def _chunks(found: Iterable[Item]) -> Iterator[tuple[bytes, int] | None]:
    """Yields items of a task and their number, and None now and then between them."""
    items: list[Item] = []
    for each in found:
        items.append(each)
        if len(items) == _CHUNK:
            yield pack_items(items), len(items)
            items = []
        elif len(items) % _STEP == 0:
            yield None
    if items:
        yield pack_items(items), len(items)
