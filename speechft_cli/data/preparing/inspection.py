"""Opening each recording before anybody trains on it; this runs in worker processes and imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import Header, UnreadableError, close_recording, open_recording
from speechft_cli.data.preparing.recording import LastRecording, State, state_of
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
        paths = (item.audio if isinstance(item, Bad) else item[1].audio for item in items)
        digest = _digest(task.items, [state_of(path) for path in paths])
        if task.limits is None or digest == task.known:
            return Inspected(digest, None)
    last = LastRecording()
    states: list[State] = []
    verdicts: list[Verdict] = []
    for item in items:
        if isinstance(item, Bad):
            states.append(state_of(item.audio))
            verdicts.append(item)
        elif item[0] in task.full:
            states.append(state_of(item[1].audio))
            verdicts.append(Beyond(item[0]))
        else:
            last.look(item[1])
            states.append(last.state)
            verdicts.append(_inspect_one(*item, task.limits, last))
    return Inspected(_digest(task.items, states), pack(verdicts))


def _digest(items: bytes, states: Sequence[State]) -> bytes:
    return hashlib.blake2b(items + orjson.dumps(states), digest_size=16).digest()


def _inspect_one(split: str, row: Row, limits: Limits, last: LastRecording) -> Verdict:
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
