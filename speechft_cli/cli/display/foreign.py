"""What libraries, and the processes they start, write on stderr while a region is on the screen."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from speechft_cli.io.stderr import TURN

#: How long to wait for the last words [s].
_PATIENCE = 2.0


class ForeignWords:
    """Gives every line written on file descriptor 2 to a function, from `__init__` to `close`.

    The descriptor itself is replaced: C code and child processes write there, and loggers keep the stream they found.

    Attributes:
        terminal: Descriptor of what stderr was; whoever writes there closes it after `close`.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        """
        Args:
            say: Told each line, in a thread of its own.
        """
        sys.stderr.flush()
        self._say = say
        self._is_over = threading.Event()
        with TURN:
            self.terminal = os.dup(2)
        ear, mouth = os.pipe()
        with TURN:
            os.dup2(mouth, 2)
        os.close(mouth)
        faulthandler.enable(self.terminal)  # the last words of a crash would stay in the pipe
        # children may hold the other end for longer than we live
        threading.Thread(target=self._listen, args=(ear,), daemon=True).start()

    def close(self) -> None:
        """Gives stderr back, when all that was written has been said."""
        sys.stderr.flush()
        os.write(2, b"\0")
        self._is_over.wait(_PATIENCE)
        with TURN:
            os.dup2(self.terminal, 2)
        faulthandler.enable(2)

    def _listen(self, ear: int) -> None:
        rest = b""
        while heard := os.read(ear, 65536):
            is_over = b"\0" in heard
            *lines, rest = (rest + heard.replace(b"\0", b"")).split(b"\n")
            if is_over and rest:
                lines, rest = [*lines, rest], b""
            for line in lines:
                # of a bar that is drawn over itself, the last state
                with suppress(OSError):  # the terminal was closed
                    self._say(line.rstrip(b"\r").split(b"\r")[-1].decode(errors="replace"))
            if is_over:
                self._is_over.set()
        os.close(ear)
