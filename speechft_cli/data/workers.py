"""Processes that do tasks; they end with this one, however it ends, and when a task kills one, the others go on.

The pools of the standard library leave their processes behind when the parent is killed, and give up when a child is.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from speechft_cli.errors import SpeechftError

T = TypeVar("T")
R = TypeVar("R")

#: Tasks per worker that may be done before the first of them is.
AHEAD = 4
#: Imported once for all processes.
_PRELOADED = ["speechft_cli.data.preparing.inspection", "speechft_cli.data.manifests.blocks"]


@dataclass
class _Worker(Generic[T]):
    process: BaseProcess
    connection: Connection
    start: threading.Thread
    failures: list[Exception]  # of starting it
    is_up: bool = False  # it has said so
    number: int | None = None  # of the task it is at
    task: T | None = None


class Workers(Generic[T, R]):
    """Does tasks side by side; results come with the number of their task, in any order."""

    def __init__(self, work: Callable[[T], R], count: int, *, bury: Callable[[T], R] | None = None) -> None:
        """
        Args:
            work: Does a task; a function of a module.
            count: How many processes.
            bury: Does a task that killed its process; `work` in this one by default.
        """
        self._work = work
        self._count = count
        self._bury = work if bury is None else bury
        self._workers: list[_Worker[T]] = []

    def __enter__(self) -> Workers[T, R]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.start.join()
            worker.connection.close()  # its end of the conversation
        for worker in self._workers:
            _end(worker.process)

    @property
    def is_idle(self) -> bool:
        """Whether one of them has nothing to do."""
        return len(self._workers) < self._count or any(worker.number is None for worker in self._workers)

    def begin(self, number: int, task: T) -> None:
        """Gives a task to an idle worker."""
        worker = next((each for each in self._workers if each.number is None), None)
        if worker is None:
            worker = _start(self._work)
            self._workers.append(worker)
        worker.number, worker.task = number, task
        with contextlib.suppress(ConnectionError):  # it died idle: `results` sees that
            worker.connection.send(task)

    def results(self, *, is_waiting: bool) -> Iterator[tuple[int, R]]:
        """Yields what is done, waiting for the first of it or not.

        Raises:
            SpeechftError: A process ended before it could be asked.
        """
        is_done = False
        while not is_done:
            busy = {worker.connection: worker for worker in self._workers if worker.number is not None}
            for connection in wait(list(busy), None if is_waiting else 0):
                worker = busy[connection]  # type: ignore[index]  # nothing else was waited for
                if not worker.is_up:
                    _hear(worker)
                    continue
                is_done = True
                yield self._result(worker)
            is_done = is_done or not is_waiting

    def _result(self, worker: _Worker[T]) -> tuple[int, R]:
        number, task = worker.number, worker.task
        assert number is not None
        assert task is not None
        try:
            result: R = worker.connection.recv()
        except (EOFError, ConnectionError):
            worker.connection.close()
            worker.process.join()
            self._workers.remove(worker)
            return number, self._bury(task)
        worker.number = worker.task = None
        return number, result


def in_processes(work: Callable[[T], R], tasks: Iterable[T], *, workers: int) -> Generator[R]:
    """Yields the results of tasks, done side by side, in their order; a single task is not worth a process."""
    tasks = iter(tasks)
    first = list(itertools.islice(tasks, 2))
    if len(first) < 2:
        yield from map(work, first)
        return
    left = enumerate(itertools.chain(first, tasks))
    done: dict[int, R] = {}
    begun = committed = 0
    is_complete = False
    with Workers(work, workers) as pool:
        while not is_complete or committed < begun:
            while not is_complete and pool.is_idle and begun < committed + AHEAD * workers:
                if (each := next(left, None)) is None:
                    is_complete = True
                else:
                    pool.begin(*each)
                    begun += 1
            if committed in done:
                yield done.pop(committed)
                committed += 1
            else:
                done |= dict(pool.results(is_waiting=True))


def start_process(work: Callable[[T], R]) -> tuple[BaseProcess, Connection]:
    """Starts a process that answers tasks as long as it is asked; returns it and where to ask.

    Raises:
        SpeechftError: It ended before it could be asked.
    """
    worker: _Worker[T] = _start(work)
    _hear(worker)
    worker.start.join()
    return worker.process, worker.connection


def _start(work: Callable[[T], R]) -> _Worker[T]:
    """Begins to start a process; it first says that it is there, then answers tasks as long as it is asked."""
    context = multiprocessing.get_context("forkserver")  # a fork takes threads' locks along
    context.set_forkserver_preload(_PRELOADED)
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(work, theirs), daemon=True)
    failures: list[Exception] = []

    def start() -> None:
        try:
            process.start()
        except (OSError, EOFError) as error:
            failures.append(error)
        finally:
            theirs.close()  # so that the death of either side is the end of the conversation

    # the first one takes as long as the imports that all of them share; meanwhile there is a corpus to read
    thread = threading.Thread(target=start)
    thread.start()
    return _Worker(process, ours, thread, failures)


def _end(process: BaseProcess) -> None:
    if process.pid is not None:  # it was started
        process.terminate()
        process.join()


def _hear(worker: _Worker[T]) -> None:
    """Takes the word of a process that it is there.

    Raises:
        SpeechftError: It is no more.
    """
    try:
        worker.connection.recv()
    except (EOFError, ConnectionError):
        worker.start.join()
        for failure in worker.failures:
            raise SpeechftError(
                f"worker processes can't be started: {failure}",
                "ulimit -u says how many processes a user may have; `workers` says how many are wanted",
            ) from failure
        # without this check it would look as if the task had killed the process, and another one would be started
        raise SpeechftError(
            "worker processes end while they start",
            'a script that calls speechft must do so below `if __name__ == "__main__":`, as each of them imports it',
        ) from None
    worker.is_up = True


def _answer(work: Callable[[T], R], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this one
    gc.freeze()  # what the imports left is no garbage, and need not be looked through
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(None)  # it is there
        while True:
            connection.send(work(connection.recv()))
