"""Processes that inspect; they end with this one, however it ends, and one that a recording kills takes nothing along.

The pools of the standard library leave their processes behind when the parent is killed, and give up when a child is.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from speechft_cli.data.inspection import (
    Bad,
    Inspected,
    Item,
    Task,
    Verdict,
    inspect,
    pack,
    unpack_items,
    unpack_verdicts,
)


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    number: int | None = None  # of the task it is at
    task: Task | None = None


class Workers:
    """Does tasks side by side; results come with the number of their task, in any order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.connection.close()  # its end of the conversation
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()

    @property
    def is_idle(self) -> bool:
        """Whether one of them has nothing to do."""
        return len(self._workers) < self._count or any(worker.number is None for worker in self._workers)

    def begin(self, number: int, task: Task) -> None:
        """Gives a task to an idle worker."""
        worker = next((each for each in self._workers if each.number is None), None)
        if worker is None:
            worker = _start()
            self._workers.append(worker)
        _send(worker, number, task)

    def results(self, *, timeout: float | None) -> Iterator[tuple[int, Inspected]]:
        """Yields what is done, waiting at most `timeout` [s] for the first of it."""
        busy = {worker.connection: worker for worker in self._workers if worker.number is not None}
        for connection in wait(list(busy), timeout):
            worker = busy[connection]  # type: ignore[index]  # nothing else was waited for
            number, task = worker.number, worker.task
            assert number is not None
            assert task is not None
            try:
                yield number, worker.connection.recv()
                worker.number = worker.task = None
            except (EOFError, ConnectionError):
                self._bury(worker)
                yield number, _one_by_one(task)

    def _bury(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join()
        self._workers.remove(worker)


def _start() -> _Worker:
    context = multiprocessing.get_context("forkserver")  # a fork takes threads' locks along
    context.set_forkserver_preload(["speechft_cli.data.inspection"])
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # so that the death of either side is the end of the conversation
    return _Worker(process, ours)


def _send(worker: _Worker, number: int, task: Task) -> None:
    worker.number, worker.task = number, task
    with contextlib.suppress(ConnectionError):  # it died idle: `results` sees that
        worker.connection.send(task)


def _work(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this one
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(inspect(connection.recv()))


def _one_by_one(task: Task) -> Inspected:
    """Does a task that killed a worker, each item in a process that may die of it."""
    verdicts: list[Verdict] = []
    for item in unpack_items(task.items):
        alone = replace(task, items=pack([item]), known=b"")
        worker = _start()
        try:
            worker.connection.send(alone)
            inspected: Inspected = worker.connection.recv()
        except (EOFError, ConnectionError):
            inspected = inspect(replace(alone, items=pack([_killer(item)])))
        finally:
            worker.connection.close()
            worker.process.join()
        verdicts += unpack_verdicts(inspected.verdicts or b"")
    return Inspected(inspect(replace(task, limits=None)).state, pack(verdicts))


def _killer(item: Item) -> Bad:
    if isinstance(item, Bad):
        return item
    split, row = item
    return Bad(split, row.id, row.audio, "can't be decoded", "the decoder dies of it")
