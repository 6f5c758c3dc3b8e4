"""Journal → manifests: what only shows when all utterances are known, then sorting and writing. Memory stays flat."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from speechft_cli.data.columns import Row
from speechft_cli.data.manifests.blocks import Sums
from speechft_cli.data.preparing.collated import Collation
from speechft_cli.data.preparing.duplicates import Entry, Looks, find_duplicates
from speechft_cli.data.preparing.external_sort import ExternalSort
from speechft_cli.data.preparing.look_alikes import LookAlikes
from speechft_cli.data.preparing.spools import Rejections, Spool, parse_entry
from speechft_cli.data.preparing.sweep import Fill
from speechft_cli.data.verdicts import Bad, Good

#: Places in a row.
_DURATION, _ID = Row._fields.index("duration"), Row._fields.index("id")

#: Writes manifests from (split, verdicts), sorted by id, and yields what each of them adds to its split.
WriteManifests = Callable[[Iterable[tuple[str, bytes]]], Iterable[tuple[str, Sums]]]
#: Reads (split, row) of all utterances that are left, from the start.
ReadRows = Callable[[], Iterator[tuple[str, Row]]]
#: Says which split an utterance goes to, or why it can't be used: reason and detail.
Judge = Callable[[str, Row], str | tuple[str, str]]
#: Looks at all utterances and returns the judge of each.
Check = Callable[[ReadRows], Judge]


def collate(
    verdicts: Iterable[bytes],
    *,
    scratch: Path,
    hours: float | None,
    keep_duplicates: bool,
    checks: Iterable[Check],
    write: WriteManifests,
    rejected: Path,
) -> Collation:
    """Writes manifests sorted by id and the list of what was rejected, in corpus order.

    Args:
        verdicts: What inspection found, in corpus order.
        scratch: Folder for nameless files.
        hours: Most of each split [h], in corpus order; None for all.
        keep_duplicates: Whether utterances with the same audio stay.
        checks: Further checks, in order; each sees what the ones before it left.
        write: Writes the manifests.
        rejected: Where the list goes.
    """
    result = Collation()
    with contextlib.ExitStack() as stack:

        def sort() -> ExternalSort:
            return stack.enter_context(contextlib.closing(ExternalSort(scratch)))

        def spool() -> IO[bytes]:
            return stack.enter_context(tempfile.TemporaryFile(dir=scratch))

        bad = Rejections(result, sort())
        by_id, by_audio = sort(), sort()
        looks = LookAlikes(spool())
        _sort(verdicts, hours, result, bad, by_id, looks)
        entries = Spool(spool())
        repeated = entries.write_unique(by_id)
        _sort_alike(entries, looks.places(), repeated, by_audio)
        twins: dict[int, str] = {}  # place → the id of the one that stays
        result.shared_recordings = find_duplicates(_looks(by_audio), parse_entry, twins)
        result.duplicates = len(twins)
        if keep_duplicates:
            twins = {}
        if repeated or twins:
            entries = _different(entries, repeated, twins, bad, Spool(spool()))
        for check in checks:
            entries = _judged(entries, check, bad, Spool(spool()))
        for split, sums in write(entries.pieces()):
            result.splits[split].add(sums)
        bad.write(rejected)
    return result


def _sort(
    verdicts: Iterable[bytes],
    hours: float | None,
    result: Collation,
    bad: Rejections,
    by_id: ExternalSort,
    looks: LookAlikes,
) -> None:
    """Sorts the good utterances that are wanted; counts the others and lists the bad ones."""
    fill = Fill(hours)
    lines = itertools.chain.from_iterable(map(bytes.splitlines, verdicts))
    for place, line in enumerate(lines, start=1):
        fields = orjson.loads(line)  # not a verdict: most of it would be made for nothing
        split = fields[0]
        if len(fields) == len(Bad._fields) and split not in fill.full:
            bad.add(place, Bad._make(fields))
        elif len(fields) == len(Good._fields) and fill.takes(split, fields[1][_DURATION]):
            by_id.add((fields[1][_ID], place), line)
            looks.add(place, *fields[2:])
        else:
            result.splits[split].beyond_hours += 1


def _sort_alike(entries: Spool, is_alike: NDArray[np.bool_], repeated: Container[int], by_audio: ExternalSort) -> None:
    """Sorts the utterances whose recordings look like another's, by what they look like."""
    if not is_alike.any():
        return
    for line in entries.lines():
        place = int(line[: line.index(b"\t")])
        if is_alike[place] and place not in repeated:
            entry = parse_entry(line)
            by_audio.add((entry.length, entry.checksum, entry.row.start, entry.row.duration, place), line[:-1])


def _looks(by_audio: ExternalSort) -> Iterator[tuple[Looks, bytes]]:
    for (*looks, _), line in by_audio.sorted():
        yield cast(Looks, tuple(looks)), line


def _different(
    entries: Spool, repeated: Container[int], twins: Mapping[int, str], bad: Rejections, spool: Spool
) -> Spool:
    """Leaves the first of those with the same id, and one of those with the same audio."""

    def left() -> Iterator[Entry]:
        for entry in entries:
            if entry.place in repeated:
                bad.add(entry.place, entry.rejected("duplicate id"))
            elif entry.place in twins:
                bad.add(entry.place, entry.rejected("duplicate audio", f"the same as {twins[entry.place]}"))
            else:
                yield entry

    return spool.write(left())


def _judged(entries: Spool, check: Check, bad: Rejections, spool: Spool) -> Spool:
    judge = check(lambda: ((entry.split, entry.row) for entry in entries))

    def left() -> Iterator[Entry]:
        for entry in entries:
            verdict = judge(entry.split, entry.row)
            if isinstance(verdict, str):
                yield entry._replace(split=verdict)
            else:
                bad.add(entry.place, entry.rejected(*verdict))

    return spool.write(left())
