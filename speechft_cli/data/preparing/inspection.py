"""Opening each recording before anybody trains on it; this runs in worker processes and imports no torch."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import (
    HEAD,
    Header,
    RecordingFile,
    UnreadableError,
    close_recording,
    open_descriptor,
    open_recording,
    read_header,
)
from speechft_cli.data.preparing.samples import check_samples
from speechft_cli.data.preparing.transcripts import normalise_transcript
from speechft_cli.data.utterance import Seconds
from speechft_cli.data.verdicts import Bad, Beyond, Good, Verdict, pack, unpack_items

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
    if task.limits is None or task.known:
        digest = _digest(task.items, [_state(item.audio if isinstance(item, Bad) else item[1].audio) for item in items])
        if task.limits is None or digest == task.known:
            return Inspected(digest, None)
    last = _LastRecording()
    states: list[State] = []
    verdicts: list[Verdict] = []
    for item in items:
        if isinstance(item, Bad):
            states.append(_state(item.audio))
            verdicts.append(item)
        elif item[0] in task.full:
            states.append(_state(item[1].audio))
            verdicts.append(Beyond(item[0]))
        else:
            last.look(item[1])
            states.append(last.state)
            verdicts.append(_inspect_one(*item, task.limits, last))
    return Inspected(_digest(task.items, states), pack(verdicts))


def _digest(items: bytes, states: Sequence[State]) -> bytes:
    return hashlib.blake2b(items + orjson.dumps(states), digest_size=16).digest()


#: Length [bytes] and time of change [ns] of a recording, or why it is none.
State = tuple[int, int] | str
_NO_RIGHT = "no right to enter its folder"


def _state(path: str) -> State:
    try:
        return _state_of(os.stat(path))  # noqa: PTH116  # no Path per file
    except FileNotFoundError:
        return "no such file"
    except PermissionError:
        return _NO_RIGHT
    except (OSError, ValueError) as error:  # a loop of links, a name too long for a file or with a NUL in it
        return str(error)


def _state_of(found: os.stat_result) -> State:
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else "not a regular file"


class _LastRecording:
    """The recording looked at last: utterances of one recording follow each other.

    Attributes:
        state: Its state.
        found: Header, length [bytes] and checksum, or why there are none.
    """

    state: State
    found: tuple[Header, int, int] | UnreadableError

    def __init__(self) -> None:
        self._place: tuple[str, int, int] | None = None

    def look(self, row: Row) -> None:
        """Looks at the recording of an utterance."""
        place = (row.audio, row.offset, row.size)
        if place != self._place:
            self._place = place
            try:
                self._open(row)
            except UnreadableError as error:
                self.found = error.with_traceback(None)

    def _open(self, row: Row) -> None:
        try:
            descriptor = open_descriptor(row.audio)
        except (OSError, ValueError) as error:
            self.state = _state(row.audio)
            raise _no_recording(self.state, row.audio) or UnreadableError("can't be opened", str(error)) from error
        try:
            # of the file that is open: another one may have the name by now; it takes half the time, too
            found = os.fstat(descriptor)
            self.state = _state_of(found)
            if (problem := _no_recording(self.state, row.audio)) is not None:
                raise problem
            file = io.BytesIO(os.pread(descriptor, row.size, row.offset)) if row.size else descriptor
            self.found = _read(file, row.size or found.st_size)
        except OSError as error:
            raise UnreadableError("can't be opened", str(error)) from error
        finally:
            os.close(descriptor)


def _no_recording(state: State, path: str) -> UnreadableError | None:
    """Returns why a file with this state is no recording."""
    if not isinstance(state, str):
        return None if state[0] else UnreadableError("file of 0 bytes")
    if state == _NO_RIGHT:
        return UnreadableError("can't be opened", state)
    if state == "no such file":
        return UnreadableError(state, _why_missing(path))
    return UnreadableError(*((state, "") if state == "not a regular file" else ("no name of a file", state)))


def _why_missing(path: str) -> str:
    if "\\" in path:
        return "its path has \\, as on Windows; here it takes /"
    if any(Path(unicodedata.normalize(form, path)).exists() for form in ("NFC", "NFD") if not path.isascii()):
        return "it is there with letters composed otherwise, as a Mac does; convmv --nfc (or --nfd) renames it"
    return ""


def _read(file: RecordingFile, length: int) -> tuple[Header, int, int]:
    if isinstance(file, int):
        head = os.pread(file, HEAD, 0)
        tail = os.pread(file, HEAD, max(HEAD, length - HEAD)) if length > HEAD else b""
    else:
        head, tail = file.getvalue()[:HEAD], file.getvalue()[HEAD:][-HEAD:]
    header = read_header(file, head, length)
    return header, length, zlib.crc32(tail, zlib.crc32(head))


def _inspect_one(split: str, row: Row, limits: Limits, last: _LastRecording) -> Verdict:
    if isinstance(last.found, UnreadableError):
        return Bad(split, row.id, row.audio, last.found.reason, last.found.detail)
    header, length, checksum = last.found
    try:
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
        return Bad(split, row.id, row.audio, error.reason, error.detail)
    except OSError as error:
        return Bad(split, row.id, row.audio, "can't be opened", str(error))
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
