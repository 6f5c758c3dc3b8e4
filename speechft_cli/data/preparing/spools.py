"""What collation keeps on disk, so that memory stays flat: entries to be read again and again, and rejections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.preparing.collated import Collation
from speechft_cli.data.preparing.duplicates import Entry
from speechft_cli.data.preparing.external_sort import ExternalSort
from speechft_cli.data.verdicts import Bad, Good, pack, split_of

_PIECE = 1024  # utterances in a block of a manifest; another number would give other bytes


class Rejections:
    """Collects what is rejected, in any order."""

    def __init__(self, result: Collation, sort: ExternalSort) -> None:
        self._result = result
        self._sort = sort
        self._first: dict[str, int] = {}

    def add(self, place: int, bad: Bad) -> None:
        """Rejects the utterance at a place of the corpus."""
        if bad.by_rule:
            self._result.by_rule[bad.reason] += 1
        else:
            self._result.reasons[bad.reason] += 1
            self._result.splits[bad.split].rejected += 1
            if place <= self._first.get(bad.reason, place):
                self._first[bad.reason] = place
                self._result.examples[bad.reason] = bad
        line = {"id": bad.id, "audio": bad.audio, "split": bad.split, "reason": bad.reason, "detail": bad.detail}
        self._sort.add((place,), orjson.dumps(line))

    def write(self, path: Path) -> None:
        """Writes the list."""
        with path.open("wb") as file:
            for _, line in self._sort.sorted():
                file.write(line + b"\n")


class Spool:
    """Entries on disk, to be read again and again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write_unique(self, by_id: ExternalSort) -> set[int]:
        """Writes what is sorted by (id, place); returns the places whose id has come before."""
        repeated: set[int] = set()
        last = ""
        for (name, place), line in by_id.sorted():
            assert isinstance(name, str)
            assert isinstance(place, int)
            if name == last:
                repeated.add(place)
            last = name
            self._file.write(b"%d\t%b\n" % (place, line))
        return repeated

    def write(self, entries: Iterable[Entry]) -> Spool:
        """Writes entries."""
        for entry in entries:
            self._file.write(b"%d\t%b\n" % (entry.place, pack([Good(*entry[1:])])))
        return self

    def __iter__(self) -> Iterator[Entry]:
        return map(parse_entry, self.lines())

    def lines(self) -> Iterator[bytes]:
        """Yields the line of each entry: its place, a tab, its verdict."""
        self._file.seek(0)
        return iter(self._file)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Yields split and verdicts of a thousand neighbours in the split, until all have been."""
        waiting: defaultdict[str, list[bytes]] = defaultdict(list)
        for line in self.lines():
            verdict = line[line.index(b"\t") + 1 :]
            split = split_of(verdict)
            there = waiting[split]
            there.append(verdict)
            if len(there) == _PIECE:
                yield split, b"".join(there)
                there.clear()
        yield from ((split, b"".join(there)) for split, there in waiting.items() if there)


def parse_entry(line: bytes) -> Entry:
    """Returns the entry of a line: its place, a tab, its verdict."""
    place, _, verdict = line.partition(b"\t")
    split, row, length, checksum = orjson.loads(verdict)
    return Entry(int(place), split, Row._make(row), length, checksum)
