"""Shows what an engine says: one calm region on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from speechft_cli.cli.console import Talk
from speechft_cli.cli.tables import draw
from speechft_cli.events import Advanced, Event, Finished, Note, Started, Table, TrainingStep

_LINE_EVERY = 30.0
"""Off a terminal, work that only counts says so at most this often [s]."""


@dataclass
class _Work:
    """A piece of work under way."""

    what: str
    total: int | None
    unit: str
    said_at: float
    done: int = 0
    note: str = ""

    def __str__(self) -> str:
        count = f"{self.done}" if self.total is None else f"{self.done}/{self.total}"
        text = f"{self.what}: {count} {self.unit}".rstrip()
        return f"{text}, {self.note}" if self.note else text


class Progress:
    """A `Report`: call it with events, inside a `with` block."""

    def __init__(self, talk: Talk, *, as_json: bool) -> None:
        """
        Args:
            talk: The consoles.
            as_json: Whether stdout belongs to a JSON document, so that tables go to stderr.
        """
        self._talk = talk
        self._tables = talk.messages if as_json else talk.results
        self._live: Live | None = None
        self._works: list[_Work] = []
        self._step: TrainingStep | None = None
        self._depth = 0  # how many pieces of work contain the training run

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __call__(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case Started():
                if self._step is not None and self._step.step >= self._step.steps:
                    self._step = None
                self._works.append(_Work(event.what, event.total, event.unit, time.monotonic()))
                self._show(f"{event.what}: {event.total} {event.unit}".rstrip() if event.total else event.what)
            case Advanced():
                self._advance(event)
            case Finished():
                self._finish(event)
            case TrainingStep():
                self._step, self._depth = event, len(self._works)
                self._show(step_line(event))
            case Note():
                if event.important or (event.detail and self._talk.is_verbose):
                    self._talk.line(event.text)
                elif not event.detail:
                    self._talk.say(event.text)
            case Table():
                self._print_table(event)

    def _advance(self, event: Advanced) -> None:
        if not self._works:
            return
        work = self._works[-1]
        work.done, work.note = event.done, event.note
        now = time.monotonic()
        if self._talk.is_live:
            self._open()
        elif now - work.said_at >= _LINE_EVERY:
            work.said_at = now
            self._talk.say(str(work))

    def _finish(self, event: Finished) -> None:
        work = self._works.pop() if self._works else None
        if len(self._works) < self._depth:
            self._step = None
        if not self._works and self._step is None:
            self._close()
        if event.note:
            self._talk.say(f"{work.what}: {event.note}" if work is not None else event.note)

    def _show(self, plain: str) -> None:
        """Redraws the region, or says the line where there is none."""
        if self._talk.is_live:
            self._open()
        else:
            self._talk.say(plain)

    def _print_table(self, table: Table) -> None:
        self._close()  # a region on stderr would be drawn through a table on stdout
        self._tables.print(draw(table, self._tables.width), end="\n\n")

    def _open(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._talk.messages, get_renderable=self._region, refresh_per_second=4, transient=True
            )
            self._live.start()

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._step = None

    def _region(self) -> RenderableType:
        step = self._step
        # a training run counts its own steps, so the work that contains it needs no bar
        works = self._works if step is None else self._works[self._depth :]
        parts: list[RenderableType] = [] if step is None else [_training(step)]
        return Group(*parts, *(_bar(work.what, work.done, work.total, work.note or work.unit) for work in works))


def step_line(step: TrainingStep) -> str:
    """Says one log step of a training run in one line."""
    return f"step {step.step}/{step.steps} {step.stage}: {_numbers(step)}, {clock(step.remaining)} left"


def clock(seconds: float) -> str:
    """Says a duration as h:mm:ss."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _numbers(step: TrainingStep) -> str:
    text = (
        f"loss {step.loss:.4g}, lr {step.learning_rate:.2e}, grad {step.gradient_norm:.3g}, "
        f"{step.audio_rate:.0f} s audio/s"
    )
    return f"{text}, dev {step.score}" if step.score else text


def _training(step: TrainingStep) -> RenderableType:
    return Group(
        _bar(step.stage, step.step, step.steps, f"{clock(step.remaining)} left"), Text(_numbers(step), overflow="fold")
    )


def _bar(what: str, done: int, total: int | None, note: str) -> RenderableType:
    grid = Grid.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True, justify="right")
    count = f"{done}" if total is None else f"{done}/{total}"
    bar = ProgressBar(total=total, completed=done, pulse=total is None)
    grid.add_row(Text(what), bar, Text(f"{count} {note}".rstrip()))
    return grid
