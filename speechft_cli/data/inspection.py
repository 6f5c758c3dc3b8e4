"""Opening each recording before anybody trains on it; this runs in worker processes and imports no torch."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import (
    HEAD,
    Header,
    RecordingFile,
    UnreadableError,
    close_recording,
    open_recording,
    read_header,
)
from speechft_cli.data.samples import check_samples
from speechft_cli.data.transcripts import normalise_transcript
from speechft_cli.data.utterance import Seconds

#: Lists round durations, and lossy formats pad; a recording may be this much shorter than its list says [s].
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Limits:
    """What an utterance must keep to.

    Attributes:
        min_seconds: Its least duration [s].
        max_seconds: Its longest duration [s].
        sample_rates: What its recording may have [Hz]; empty for any.
        decode: Whether every sample is decoded and looked at.
    """

    min_seconds: Seconds
    max_seconds: Seconds
    sample_rates: tuple[int, ...] = ()
    decode: bool = False


class Good(NamedTuple):
    """An utterance that can be used; equal recordings have equal lengths and checksums (not the other way round)."""

    split: str
    row: Row
    length: int  # of the recording [bytes]
    checksum: int  # of its first and last bytes


class Bad(NamedTuple):
    """An utterance that can't."""

    split: str
    id: str
    audio: str
    reason: str
    detail: str
    by_rule: bool = False  # the corpus's own rule leaves it out; nothing is wrong with it


class Beyond(NamedTuple):
    """An utterance that nobody looked at, because its split is full."""

    split: str


#: What a corpus reader said of an utterance, with an absolute path and before anything was opened.
Item = tuple[str, Row] | Bad
Verdict = Good | Bad | Beyond


@dataclass(frozen=True)
class Task:
    """Some utterances in corpus order, and what to do with them.

    Attributes:
        items: Items as `pack` makes them.
        limits: What they must keep to; None when only the files' state is wanted.
        full: Splits that want no more.
        known: The state they had when they were last inspected: when they still have it, nothing is done.
    """

    items: bytes
    limits: Limits | None
    full: frozenset[str] = frozenset()
    known: bytes = b""


class Inspected(NamedTuple):
    """What became of a task: the state of items and files, and the verdicts; None when nothing was done."""

    state: bytes
    verdicts: bytes | None


def inspect(task: Task) -> Inspected:
    """Does a task."""
    items = unpack_items(task.items)
    states = [_state(item) for item in items]
    digest = hashlib.blake2b(task.items + orjson.dumps(states), digest_size=16).digest()
    if task.limits is None or digest == task.known:
        return Inspected(digest, None)
    header = _LastHeader()
    verdicts: list[Verdict] = []
    for item, state in zip(items, states, strict=True):
        if isinstance(item, Bad):
            verdicts.append(item)
        elif item[0] in task.full:
            verdicts.append(Beyond(item[0]))
        else:
            verdicts.append(_inspect_one(*item, state, task.limits, header))
    return Inspected(digest, pack(verdicts))


def pack(records: Sequence[Item] | Sequence[Verdict]) -> bytes:
    """Returns items or verdicts as JSON, one a line."""
    return b"\n".join([orjson.dumps(record, default=tuple) for record in records])


def unpack_items(text: bytes) -> list[Item]:
    """Reads items that `pack` wrote."""
    fields = map(orjson.loads, text.splitlines())
    return [(each[0], Row._make(each[1])) if len(each) == 2 else Bad._make(each) for each in fields]


def unpack_verdicts(text: bytes) -> list[Verdict]:
    """Reads verdicts that `pack` wrote."""
    verdicts: list[Verdict] = []
    for fields in map(orjson.loads, text.splitlines()):
        if len(fields) == len(Good._fields):
            split, row, length, checksum = fields
            verdicts.append(Good(split, Row._make(row), length, checksum))
        else:
            verdicts.append(Bad._make(fields) if len(fields) == len(Bad._fields) else Beyond._make(fields))
    return verdicts


def split_of(verdict: bytes) -> str:
    """Returns the split of a verdict that `pack` wrote, without parsing the rest of it."""
    return verdict[2 : verdict.index(b'"', 2)].decode()


State = tuple[int, int] | str


def _state(item: Item) -> State:
    """Returns length [bytes] and time of change [ns] of a recording, or why it is none."""
    try:
        found = os.stat(item.audio if isinstance(item, Bad) else item[1].audio)  # noqa: PTH116  # no Path per file
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:  # a loop of links, a name too long for a file or with a NUL in it
        return str(error)
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else "not a regular file"


class _LastHeader:
    """The recording opened last: utterances of one recording follow each other."""

    def __init__(self) -> None:
        self._place: tuple[str, int, int] | None = None
        self._found: tuple[Header, int, int] | None = None

    def read(self, row: Row, length: int) -> tuple[Header, int, int]:
        """Returns header, length [bytes] and checksum."""
        place = (row.audio, row.offset, row.size)
        if self._found is None or place != self._place:
            self._found = None
            file = open_recording(row.audio, offset=row.offset, size=row.size)
            try:
                self._found = _read(file, row.size or length)
            finally:
                close_recording(file)
            self._place = place
        return self._found


def _read(file: RecordingFile, length: int) -> tuple[Header, int, int]:
    if isinstance(file, int):
        head = os.pread(file, HEAD, 0)
        tail = os.pread(file, HEAD, max(HEAD, length - HEAD)) if length > HEAD else b""
    else:
        head, tail = file.getvalue()[:HEAD], file.getvalue()[HEAD:][-HEAD:]
    header = read_header(file, head, length)
    return header, length, zlib.crc32(tail, zlib.crc32(head))


def _inspect_one(split: str, row: Row, state: State, limits: Limits, last: _LastHeader) -> Verdict:
    if isinstance(state, str):
        known = ("no such file", "not a regular file")
        return _reject(split, row, *((state, "") if state in known else ("no name of a file", state)))
    if state[0] == 0:
        return _reject(split, row, "file of 0 bytes")
    try:
        header, length, checksum = last.read(row, state[0])
        duration = _duration(row, header, limits)
        if limits.decode:
            first = round(row.start * header.sample_rate)
            count = min(round((row.start + duration) * header.sample_rate), header.frames) - first
            file = open_recording(row.audio, offset=row.offset, size=row.size)
            try:
                check_samples(file, first=first, count=count)
            finally:
                close_recording(file)
    except UnreadableError as error:
        return _reject(split, row, error.reason, error.detail)
    except OSError as error:
        return _reject(split, row, "can't be opened", str(error))
    normalised = row.normalised
    if normalised is None and row.text is not None:
        normalised = normalise_transcript(row.text)
    if normalised == row.text:
        normalised = None
    row = row._replace(duration=duration, sample_rate=header.sample_rate, normalised=normalised)
    return Good(split, row, length, checksum)


def _duration(row: Row, header: Header, limits: Limits) -> Seconds:
    """Returns how long an utterance is.

    Raises:
        UnreadableError: It does not keep to the limits, or is not whole.
    """
    length = header.frames / header.sample_rate
    duration = row.duration or length - row.start
    end = row.start + duration
    if header.promised == 0:
        raise UnreadableError("no audio in the file")
    is_outside = end > length + _TOLERANCE or duration <= 0
    if header.frames < header.promised and (is_outside or not row.duration):
        raise UnreadableError(
            "cut short", f"{length:.2f} s, the header promises {header.promised / header.sample_rate:.2f}"
        )
    if is_outside:
        raise UnreadableError("shorter than start + duration", f"{length:.2f} s, wanted up to {end:.2f} s")
    if limits.sample_rates and header.sample_rate not in limits.sample_rates:
        wanted = ", ".join(map(str, limits.sample_rates))
        raise UnreadableError("sample rate not in sample_rates", f"{header.sample_rate} Hz, wanted {wanted} Hz")
    duration = min(duration, length - row.start)
    if duration < limits.min_seconds:
        raise UnreadableError("shorter than min_seconds", f"{duration:.2f} s < {limits.min_seconds:g} s")
    if duration > limits.max_seconds:
        raise UnreadableError("longer than max_seconds", f"{duration:.2f} s > {limits.max_seconds:g} s")
    return duration


def _reject(split: str, row: Row, reason: str, detail: str = "") -> Bad:
    return Bad(split, row.id, row.audio, reason, detail)
