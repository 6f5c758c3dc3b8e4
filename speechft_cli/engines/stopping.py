"""Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP end a run with a message instead of a traceback."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from speechft_cli.errors import InterruptedRunError


class _Terminated(BaseException):
    """SIGTERM or SIGHUP arrived; not an Exception, so that no `except Exception` takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def stoppable(message: str, hint: str = "") -> Iterator[None]:
    """Inside the block SIGINT, SIGTERM and SIGHUP raise, and leave it as InterruptedRunError.

    Args:
        message: What became of the work.
        hint: How it goes on, unless the same command does.

    Raises:
        InterruptedRunError: One of them arrived; with exit code 130, 143 or 129.
    """
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGHUP) if is_main else ()
    # what is ignored stays so, as nohup wants it
    before = {each: signal.signal(each, _terminate) for each in numbers if signal.getsignal(each) != signal.SIG_IGN}
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(message, hint) from None
    except _Terminated as signalled:
        raise InterruptedRunError(message, hint, exit_code=128 + signalled.number) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    raise _Terminated(number)
