"""Ctrl-C and a scheduler's SIGTERM end a run with a message instead of a traceback."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from speechft_cli.errors import InterruptedRunError


class _Terminated(BaseException):
    """SIGTERM arrived; no Exception, so that nobody takes it for an error of theirs."""


@contextlib.contextmanager
def stoppable(message: str) -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM raise, and leave it as InterruptedRunError.

    Args:
        message: What became of the work.

    Raises:
        InterruptedRunError: One of them arrived; with exit code 130 or 143.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if is_main else None
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(message) from None
    except _Terminated:
        raise InterruptedRunError(message, exit_code=143) from None
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _Terminated
