"""Work on several things at once whose results are wanted one after the other."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

#: Threads that read recordings ahead of an encoder: on a network's disk most of the time goes into opening files.
READERS = 4

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Returns how many processes or threads run at once here."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def in_order(job: Callable[[T], R], things: Iterable[T], *, workers: int = 0) -> Iterator[R]:
    """Yields the results of `job` in the order of `things`.

    At most two results per worker wait to be taken, so that a slow taker bounds the memory.

    Args:
        job: Called in threads; what it raises is raised here.
        things: What to do it with.
        workers: Number of threads; 0 for one per core.
    """
    workers = workers or cores()
    rest = iter(things)
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque(pool.submit(job, thing) for thing in islice(rest, 2 * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(job, thing) for thing in islice(rest, 1))
                yield result
                del result
        finally:
            for future in waiting:
                future.cancel()
