"""Processes that inspect; a recording that kills one is rejected, and what was inspected with it is not lost."""

from __future__ import annotations

from dataclasses import replace

from speechft_cli.data.preparing.inspection import Inspected, Task, inspect
from speechft_cli.data.verdicts import Bad, Item, Verdict, pack, unpack_items, unpack_verdicts
from speechft_cli.data.workers import Workers, start_process


def inspectors(count: int) -> Workers[Task, Inspected]:
    """Returns `count` processes that inspect."""
    return Workers(inspect, count, bury=_one_by_one)


def _one_by_one(task: Task) -> Inspected:
    """Does a task that killed a worker, each item in a process that may die of it."""
    verdicts: list[Verdict] = []
    for item in unpack_items(task.items):
        alone = replace(task, items=pack([item]), known=b"")
        process, connection = start_process(inspect)
        try:
            connection.send(alone)
            inspected: Inspected = connection.recv()
        except (EOFError, ConnectionError):
            inspected = inspect(replace(alone, items=pack([_killer(item)])))
        finally:
            connection.close()
            process.join()
        verdicts += unpack_verdicts(inspected.verdicts or b"")
    return Inspected(inspect(replace(task, limits=None)).state, pack(verdicts))


def _killer(item: Item) -> Bad:
    if isinstance(item, Bad):
        return item
    split, row = item
    return Bad(split, row.id, row.audio, "can't be decoded", "the decoder dies of it")
