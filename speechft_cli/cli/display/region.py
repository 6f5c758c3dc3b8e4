"""A few lines at the bottom of a terminal that are redrawn in place; other messages scroll away above them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence

#: Seconds between two looks at what there is to draw; what has not changed is not drawn.
_EVERY = 0.25
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show a frame at once, others ignore it
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"  # it may be narrower already than it was when we asked
_CLEAR = "\r\x1b[J"


def size_of(terminal: int) -> os.terminal_size:
    """Returns columns and lines of a terminal; 80 × 24 where it says 0, as that of `docker exec -t` may."""
    try:
        columns, lines = os.get_terminal_size(terminal)
    except OSError:  # it was closed
        columns = lines = 0
    return os.terminal_size((columns or 80, lines or 24))


class Region:
    """The lines, from `open` to `close`; safe to call from any thread.

    Between frames the cursor rests at the beginning of the first line. A terminal that is made narrower may wrap what
    stands there; wherever that puts the lines, they follow the cursor, and all of them are drawn over.
    """

    def __init__(self, terminal: int, draw: Callable[[int], Sequence[str]]) -> None:
        """
        Args:
            terminal: Descriptor of the terminal.
            draw: Width [cells] → lines with their colours, none wider.
        """
        self._terminal = terminal
        self._draw = draw
        self._lock = threading.RLock()
        self._is_open = False
        self._over = threading.Event()
        self._drawn: tuple[tuple[str, ...], os.terminal_size] | None = None
        self._height = 0

    def open(self) -> None:
        """Draws the lines, and again whenever they change."""
        with self._lock:
            if self._is_open:
                return
            self._is_open = True
            self._over = threading.Event()
            threading.Thread(target=self._keep_drawing, args=(self._over,), daemon=True).start()

    def close(self) -> None:
        """Takes the lines away."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            self._over.set()
            if self._drawn is not None:
                self._write(_CLEAR)
            self._drawn, self._height = None, 0

    def above(self, text: str) -> None:
        """Says something above the lines, for good."""
        with self._lock:
            if not self._is_open:
                self._write(f"{text}\n")
                return
            self._write(f"{_BEGIN}{_CLEAR if self._drawn else ''}{text}\n")
            was_drawn, self._drawn = self._drawn is not None, None
            if was_drawn:
                self._frame()
            self._write(_END)

    def _keep_drawing(self, over: threading.Event) -> None:
        while not over.wait(_EVERY):  # what is over at once is not shown
            with self._lock:
                if not over.is_set():
                    self._frame()

    def _frame(self) -> None:
        if not self._is_open or not self._is_in_front():
            return
        size = size_of(self._terminal)
        # the last column stays free: what is written there makes some terminals begin a line
        lines = list(self._draw(max(1, size.columns - 1)))
        self._height = max(self._height, len(lines))  # what is below must not jump up and down
        lines = [*lines, *[""] * (self._height - len(lines))][: max(1, size.lines - 1)]
        frame = (tuple(lines), size)
        if frame == self._drawn:
            return
        self._drawn = frame
        up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        text = "\r\n".join(f"{line}\x1b[K" for line in lines)
        self._write(f"{_BEGIN}{_NO_WRAP}\r{text}\x1b[J\r{up}{_WRAP}{_END}")

    def _is_in_front(self) -> bool:
        """Whether the terminal is ours, not that of a shell that has sent us into the background."""
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:  # it is no terminal of this session
            return True

    def _write(self, text: str) -> None:
        data = text.encode(errors="replace")
        with contextlib.suppress(OSError):  # a terminal that was closed ends no run
            while data:
                data = data[os.write(self._terminal, data) :]
