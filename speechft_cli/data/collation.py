"""Journal → manifests: what only shows when all utterances are known, then sorting and writing. Memory stays flat."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.duplicates import Entry, Looks, find_duplicates
from speechft_cli.data.external_sort import ExternalSort
from speechft_cli.data.inspection import Bad, Beyond, Good, pack, unpack_verdicts
from speechft_cli.data.sweep import Fill
from speechft_cli.data.utterance import SPLITS, Seconds

#: Takes a row of a split; closing it makes the manifest.
AddRow = Callable[[Row], None]
#: Makes the writer of a split's manifest.
OpenManifest = Callable[[str], contextlib.AbstractContextManager[AddRow]]


@dataclass
class SplitFacts:
    """What a split holds."""

    utterances: int = 0
    seconds: Seconds = 0.0
    speakers: set[str] = field(default_factory=set)
    sample_rates: set[int] = field(default_factory=set)
    rejected: int = 0
    beyond_hours: int = 0


@dataclass
class Collation:
    """What became of a corpus.

    Attributes:
        splits: Split → what it holds.
        reasons: Why utterances were rejected → how often.
        examples: The same → the first one.
        by_rule: Why the corpus's own rule leaves utterances out → how often.
        duplicates: How many utterances have the audio of another one.
        shared_recordings: How many recordings lie in several splits, in different stretches; None when nobody knows.
    """

    splits: dict[str, SplitFacts] = field(default_factory=lambda: {split: SplitFacts() for split in SPLITS})
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Bad] = field(default_factory=dict)
    by_rule: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    shared_recordings: int | None = 0

    @property
    def utterances(self) -> int:
        """How many can be used."""
        return sum(facts.utterances for facts in self.splits.values())

    @property
    def shared_speakers(self) -> list[str]:
        """Speakers of train that are also heard in dev or test."""
        train = self.splits["train"].speakers
        return sorted(train & (self.splits["dev"].speakers | self.splits["test"].speakers))


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
    keep_duplicates: bool = False,
    checks: Iterable[Check] = (),
    open_manifest: OpenManifest,
    rejected: Path,
) -> Collation:
    """Writes manifests sorted by id and the list of what was rejected, in corpus order.

    Args:
        verdicts: What inspection found, in corpus order.
        scratch: Folder for nameless files.
        hours: Most of each split [h], in corpus order; None for all.
        keep_duplicates: Whether utterances with the same audio stay.
        checks: Further checks, in order; each sees what the ones before it left.
        open_manifest: Makes the writer of a split.
        rejected: Where the list goes.
    """
    result = Collation()
    with contextlib.ExitStack() as stack:

        def sort() -> ExternalSort:
            return stack.enter_context(contextlib.closing(ExternalSort(scratch)))

        def spool() -> IO[bytes]:
            return stack.enter_context(tempfile.TemporaryFile(dir=scratch))

        bad = _Rejections(result, sort())
        by_id, by_audio = sort(), sort()
        _sort(verdicts, hours, result, bad, by_id, by_audio)
        entries = _Spool(spool())
        repeated = entries.write_unique(by_id)
        twins: dict[int, str] = {}  # place → the id of the one that stays
        result.shared_recordings = find_duplicates(_looks(by_audio, repeated), _parse, twins)
        result.duplicates = len(twins)
        if keep_duplicates:
            twins = {}
        if repeated or twins:
            entries = _different(entries, repeated, twins, bad, _Spool(spool()))
        for check in checks:
            entries = _judged(entries, check, bad, _Spool(spool()))
        _write(entries, result, open_manifest, stack)
        bad.write(rejected)
    return result


class _Rejections:
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


class _Spool:
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

    def write(self, entries: Iterable[Entry]) -> _Spool:
        """Writes entries."""
        for entry in entries:
            self._file.write(b"%d\t%b\n" % (entry.place, pack([Good(*entry[1:])])))
        return self

    def __iter__(self) -> Iterator[Entry]:
        self._file.seek(0)
        return map(_parse, self._file)


def _parse(line: bytes) -> Entry:
    place, _, verdict = line.partition(b"\t")
    split, row, length, checksum = orjson.loads(verdict)
    return Entry(int(place), split, Row._make(row), length, checksum)


def _sort(
    verdicts: Iterable[bytes],
    hours: float | None,
    result: Collation,
    bad: _Rejections,
    by_id: ExternalSort,
    by_audio: ExternalSort,
) -> None:
    """Sorts the good utterances that are wanted; counts the others and lists the bad ones."""
    fill = Fill(hours)
    place = 0
    for text in verdicts:
        for line, verdict in zip(text.splitlines(), unpack_verdicts(text), strict=True):
            place += 1
            if isinstance(verdict, Beyond) or verdict.split in fill.full:
                result.splits[verdict.split].beyond_hours += 1
            elif isinstance(verdict, Bad):
                bad.add(place, verdict)
            elif fill.takes(verdict.split, verdict.row.duration):
                by_id.add((verdict.row.id, place), line)
                row = verdict.row
                by_audio.add((verdict.length, verdict.checksum, row.start, row.duration, place), line)
            else:
                result.splits[verdict.split].beyond_hours += 1


def _looks(by_audio: ExternalSort, repeated: Container[int]) -> Iterator[tuple[Looks, bytes]]:
    for (*looks, place), line in by_audio.sorted():
        if place not in repeated:
            yield cast(Looks, tuple(looks)), f"{place}\t".encode() + line


def _different(
    entries: _Spool, repeated: Container[int], twins: Mapping[int, str], bad: _Rejections, spool: _Spool
) -> _Spool:
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


def _judged(entries: _Spool, check: Check, bad: _Rejections, spool: _Spool) -> _Spool:
    judge = check(lambda: ((entry.split, entry.row) for entry in entries))

    def left() -> Iterator[Entry]:
        for entry in entries:
            verdict = judge(entry.split, entry.row)
            if isinstance(verdict, str):
                yield entry._replace(split=verdict)
            else:
                bad.add(entry.place, entry.rejected(*verdict))

    return spool.write(left())


def _write(entries: _Spool, result: Collation, open_manifest: OpenManifest, stack: contextlib.ExitStack) -> None:
    writers: dict[str, AddRow] = {}
    for entry in entries:
        if entry.split not in writers:
            writers[entry.split] = stack.enter_context(open_manifest(entry.split))
        writers[entry.split](entry.row)
        facts = result.splits[entry.split]
        facts.utterances += 1
        facts.seconds += entry.row.duration
        facts.sample_rates.add(entry.row.sample_rate)
        if entry.row.speaker is not None:
            facts.speakers.add(entry.row.speaker)


def facts_of(result: Collation) -> Mapping[str, object]:
    """Returns what the record of a finished preparation says."""
    return {
        "splits": {
            split: {
                "utterances": facts.utterances,
                "hours": round(facts.seconds / 3600, 6),
                "speakers": len(facts.speakers),
                "sample_rates": sorted(facts.sample_rates),
                "rejected": facts.rejected,
                "beyond_hours": facts.beyond_hours,
            }
            for split, facts in result.splits.items()
            if facts.utterances or facts.rejected
        },
        "rejected": dict(result.reasons),
        "left_out_by_rule": dict(result.by_rule),
        "shared": {"speakers": len(result.shared_speakers), "recordings": result.shared_recordings},
    }
