"""Shows what an engine says: one calm region on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
from dataclasses import replace

from speechft_cli.cli.display.console import Talk, nearby
from speechft_cli.cli.display.foreign import ForeignWords
from speechft_cli.cli.display.layout import Bar, bars, facts
from speechft_cli.cli.display.region import Region
from speechft_cli.cli.display.tables import draw
from speechft_cli.cli.display.work import Work, clock
from speechft_cli.errors import amount
from speechft_cli.events import Advanced, DeviceMemory, Event, Finished, Note, Started, Table, TrainingStep

#: Off a terminal, work that only counts has a line at most this often [s].
_LINE_EVERY = 30.0
_GIB = 2**30


class Progress:
    """A `Report`: call it with events, inside a `with` block."""

    def __init__(self, talk: Talk, *, as_json: bool) -> None:
        """
        Args:
            talk: Where to speak.
            as_json: Whether stdout belongs to a JSON document, so that tables go to stderr.
        """
        self._talk = talk
        self._as_json = as_json
        self._foreign: ForeignWords | None = None
        self._region: Region | None = None
        self._works: list[Work] = []
        self._step: TrainingStep | None = None
        self._depth = 0  # how many pieces of work contain the training run
        self._memory: DeviceMemory | None = None

    def __enter__(self) -> Progress:
        if self._talk.is_live:
            self._foreign = ForeignWords(self._talk.line)
            self._region = Region(self._foreign.terminal, self._lines)
            self._talk.above, self._talk.terminal = self._region.above, self._foreign.terminal
        return self

    def __exit__(self, *_: object) -> None:
        if self._region is not None:
            self._region.close()
        if self._foreign is not None:
            self._foreign.close()
            self._talk.above, self._talk.terminal = None, 2
            os.close(self._foreign.terminal)  # nothing is written there any more

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case Started():
                self._works.append(Work(event.what, event.total, event.unit))
                self._show(f"{event.what}: {amount(event.total, event.unit)}".rstrip() if event.total else event.what)
            case Advanced() if self._works:
                self._works[-1].advance(event.done, event.note)
                if self._region is None and self._works[-1].is_due(_LINE_EVERY):
                    self._talk.say(str(self._works[-1]))
            case Finished():
                self._finish(event)
            case TrainingStep():
                if self._works:
                    self._works[-1].step(event.step, event.stage, event.remaining)
                self._step, self._depth = event, len(self._works)
                self._show(step_line(event, self._memory))
            case DeviceMemory():
                self._memory = event
            case Note():
                if event.important or (event.detail and self._talk.is_verbose):
                    self._talk.line(nearby(event.text))
                elif not event.detail:
                    self._talk.say(nearby(event.text))
            case Table():
                self._print_table(event)

    def _finish(self, event: Finished) -> None:
        work = self._works.pop() if self._works else None
        if len(self._works) < self._depth:
            self._step, self._depth = None, 0
        if event.note:
            self._talk.say(f"{work.what}: {event.note}" if work is not None else event.note)

    def _show(self, plain: str) -> None:
        """Opens the region, or says the line where there is none."""
        if self._region is None:
            self._talk.say(plain)
        else:
            self._region.open()

    def _print_table(self, table: Table) -> None:
        table = replace(table, rows=tuple(tuple(map(nearby, row)) for row in table.rows))
        drawn = draw(table, self._talk.results.width)
        if self._as_json:
            self._talk.line(f"{drawn.plain}\n")
            return
        if self._region is not None:
            self._region.close()  # it is not on stdout
        self._talk.results.print(drawn, end="\n\n")
        if self._region is not None and self._works:
            self._region.open()

    def _lines(self, width: int) -> list[str]:
        step, works = self._step, tuple(self._works)
        drawn = [Bar(each.what, each.share, each.details()) for each in works]
        notes = [part for each in works for part in each.note.split(", ") if part]
        said = [*notes, *_memory(self._memory)] if step is None else _numbers(step, self._memory)
        line = facts(said, width)
        paint = self._talk.paint
        return [
            *(
                f"{label}{paint(done, 'cyan')}{paint(rest, 'dim')}{beside}"
                for label, done, rest, beside in bars(drawn, width)
            ),
            paint(line, "dim"),
        ]


def step_line(step: TrainingStep, memory: DeviceMemory | None = None) -> str:
    """Says one log step of a training run in one line."""
    numbers = ", ".join(_numbers(step, memory))
    return f"step {step.step}/{step.steps} {step.stage}: {numbers}, {clock(step.remaining)} left"


def _numbers(step: TrainingStep, memory: DeviceMemory | None) -> list[str]:
    """What there is to know of a log step, most important first."""
    scores = [f"dev {step.score}"] if step.score else []
    scores += [f"best {step.best}"] if step.best else []
    return [
        f"loss {step.loss:.4g}",
        *scores,
        *([f"{step.skipped} left out"] if step.skipped else []),
        f"{step.audio_rate:.0f} s audio/s",
        *_memory(memory),
        f"lr {step.learning_rate:.2e}",
        f"grad {step.gradient_norm:.3g}",
    ]


def _memory(memory: DeviceMemory | None) -> list[str]:
    return [] if memory is None else [f"GPU {memory.peak / _GIB:.1f}/{memory.total / _GIB:.1f} GiB"]
