"""Silence around s3prl."""

from __future__ import annotations

import sys
import threading
import time
import warnings

from speechft_cli.encoders.quiet import quiet


def test_threads_that_are_silent_at_the_same_time_leave_stdout_and_warnings_as_they_were() -> None:
    before, filters = sys.stdout, list(warnings.filters)
    is_in = threading.Event()

    def be_silent(seconds: float) -> None:
        with quiet():
            is_in.set()
            time.sleep(seconds)

    first, second = (threading.Thread(target=be_silent, args=(seconds,)) for seconds in (0.1, 0.2))
    first.start()
    is_in.wait()
    second.start()
    first.join()
    second.join()

    assert sys.stdout is before
    assert not before.closed
    assert warnings.filters == filters
