"""A terminal somebody looks at: a pseudo-terminal, and the screen that its output paints."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from types import TracebackType

import pexpect
import pyte


class Screen:
    """A program on a terminal; `lines` is what a person would see."""

    def __init__(self, command: str, arguments: Sequence[str], *, columns: int = 80, lines: int = 30) -> None:
        self._screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._screen.write_process_input = lambda answer: self.child.send(answer)  # where is the cursor?
        self._stream = pyte.Stream(self._screen)
        self.frames: list[tuple[str, ...]] = []
        self.child = pexpect.spawn(command, list(arguments), encoding="utf-8", timeout=60, dimensions=(lines, columns))

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.close()

    @property
    def lines(self) -> list[str]:
        """Everything from the first line that was ever scrolled away to the last one with something on it."""
        above = [
            "".join(line[column].data for column in range(self._screen.columns)) for line in self._screen.history.top
        ]
        return [line.rstrip() for line in (*above, *self._screen.display)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """The lines, cell by cell with their colours, from the first to the last with something on it."""
        rows = [*self._screen.history.top, *(self._screen.buffer[row] for row in range(self._screen.lines))]
        count = len(self.text.split("\n"))
        return [[row[column] for column in range(self._screen.columns)] for row in rows[:count]]

    def settle(self, *, seconds: float = 1.0) -> None:
        """Reads what comes within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read()

    def wait_for(self, is_there: Callable[[str], bool], *, seconds: float = 60.0) -> str:
        """Reads until the screen shows what is waited for, and returns it."""
        end = time.monotonic() + seconds
        while not is_there(self.text):
            assert time.monotonic() < end, self.text
            assert self._read(), self.text
        return self.text

    def read_all(self) -> str:
        """Reads until the program ends, and returns the last screen."""
        while self._read():
            pass
        self.child.close()
        return self.text

    def resize(self, columns: int, lines: int = 30) -> None:
        self._screen.resize(lines, columns)
        self.child.setwinsize(lines, columns)

    def _read(self) -> bool:
        try:
            self._stream.feed(self.child.read_nonblocking(4096, timeout=0.5))
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.frames.append(tuple(self._screen.display))
        return True
