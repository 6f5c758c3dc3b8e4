"""Sorting more than fits into memory: sorted runs on disk, merged."""

from __future__ import annotations

import heapq
import itertools
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path

import orjson

_RUN = 4 << 20  # bytes held in memory before they become a run on disk
_BLOCK = 32  # records of a run that are in memory while it is merged
_OVERHEAD = 200  # what an object in a list costs beside its bytes

#: What is sorted by: numbers and texts, of the same types in all records.
Key = tuple[int | float | str, ...]


class ExternalSort:
    """Takes (key, value) in any order and gives them sorted by key; keys differ, values have no line feeds."""

    def __init__(self, folder: Path | None, *, run_bytes: int = _RUN) -> None:
        """
        Args:
            folder: Where the runs go, in a nameless file; None for where the system keeps such files.
            run_bytes: How much is sorted in memory.
        """
        self._run_bytes = run_bytes
        self._records: list[tuple[Key, bytes]] = []
        self._size = 0
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed in `close`
        self._end = 0
        self._runs: list[array[int]] = []  # where the blocks of each begin, and where the last one ends

    def add(self, key: Key, value: bytes) -> None:
        """Adds a record."""
        self._records.append((key, value))
        self._size += len(value) + _OVERHEAD
        if self._size > self._run_bytes:
            self._write_run()

    def sorted(self) -> Iterator[tuple[Key, bytes]]:
        """Yields all records."""
        self._records.sort()
        return heapq.merge(*map(self._read_run, self._runs), self._records)

    def close(self) -> None:
        """Removes the runs."""
        self._records = []
        self._file.close()

    def _write_run(self) -> None:
        self._records.sort()
        self._file.seek(self._end)
        borders = array("q", [self._end])
        for first in range(0, len(self._records), _BLOCK):
            keys, values = zip(*self._records[first : first + _BLOCK], strict=True)
            block = b"\n".join([orjson.dumps(keys), *values])
            self._file.write(block)
            self._end += len(block)
            borders.append(self._end)
        self._runs.append(borders)
        self._records, self._size = [], 0

    def _read_run(self, borders: array[int]) -> Iterator[tuple[Key, bytes]]:
        for begin, end in itertools.pairwise(borders):
            self._file.seek(begin)
            keys, *values = self._file.read(end - begin).split(b"\n")
            yield from zip(map(tuple, orjson.loads(keys)), values, strict=True)
