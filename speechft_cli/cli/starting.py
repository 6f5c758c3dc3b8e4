"""While a command starts: libraries are imported, and nothing has been written that Ctrl-C could leave half done."""

from __future__ import annotations

import gc
import os
import signal
from types import FrameType


def begin() -> None:
    """Makes the time to the first line short, and Ctrl-C in it the end of the process.

    Raised as an exception it would go through the C code that libraries run when they are imported: some of it aborts,
    and some says another error in its place, which would be told instead.
    """
    # What is made while starting stays until the end, so looking for garbage in it is a fifth of the time to the first
    # line.
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored, it stays so
        signal.signal(signal.SIGINT, _end)


def end() -> None:
    """Lets Ctrl-C interrupt the work that begins now, and garbage be looked for; without `begin` nothing changes."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    os.write(2, b"interrupted\n")
    os._exit(128 + number)
