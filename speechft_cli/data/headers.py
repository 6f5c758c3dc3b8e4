"""What the header of a recording promises, and whether the file keeps it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import soundfile

from speechft_cli.io.stderr import unheard

#: How much of a file's beginning is read to recognise it [bytes].
HEAD = 4096
#: Sizes that programs write which do not know the length yet: a pipe was the output.
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_PLAIN = struct.Struct("<HHIIHH4sI")
_PLAIN_FORMAT = b"fmt \x10\0\0\0"
_FFMPEG = "is not read; ffmpeg -i IN OUT.flac makes a recording of it that is"
#: Place and content of what begins a file that libsndfile does not read → what it is, and the way out.
_FOREIGN = {
    (4, b"ftyp"): f"MPEG-4 {_FFMPEG}",
    (0, b"\xff\xf1"): f"AAC {_FFMPEG}",
    (0, b"\xff\xf9"): f"AAC {_FFMPEG}",
    (0, b"0&\xb2u"): f"Windows Media {_FFMPEG}",
    (0, b"\x1aE\xdf\xa3"): f"WebM {_FFMPEG}",
    (0, b"#!AMR"): f"AMR {_FFMPEG}",
    (0, b"version https://git-lfs"): "it is a pointer of Git LFS; git lfs pull fetches the recording",
}
_SHORTEN = "SPHERE that is packed by shorten is not read; sph2pipe -f wav IN OUT.wav unpacks it"


class UnreadableError(Exception):
    """A recording can't be used: a fixed phrase, and what is special about this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Header(NamedTuple):
    """What a header says.

    Attributes:
        sample_rate: [Hz].
        frames: Samples per channel that the file holds.
        promised: Samples per channel that the header promises.
    """

    sample_rate: int
    frames: int
    promised: int


#: A recording as soundfile opens it: a file descriptor, or its bytes out of an archive.
RecordingFile = int | io.BytesIO


def open_recording(path: str, *, offset: int, size: int) -> RecordingFile:
    """Opens a recording, or reads it out of an archive when it has a size.

    Raises:
        OSError: It can't be opened.
    """
    descriptor = open_descriptor(path)
    if not size:
        return descriptor
    try:
        return io.BytesIO(os.pread(descriptor, size, offset))
    finally:
        os.close(descriptor)


def open_descriptor(path: str) -> int:
    """Opens a file to read it.

    Raises:
        OSError: It can't be opened.
    """
    # without O_NONBLOCK a named pipe would wait for its writer for ever
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def close_recording(file: RecordingFile) -> None:
    """Closes what `open_recording` opened."""
    if isinstance(file, int):
        os.close(file)


def read_header(file: RecordingFile, head: bytes, size: int) -> Header:
    """Returns what the header of a recording says.

    Args:
        file: The recording.
        head: Its first `HEAD` bytes.
        size: Its length [bytes].

    Raises:
        UnreadableError: It can't be decoded.
    """
    wave = parse_wave(head, size)
    if wave is not None:
        return wave
    try:
        with open_audio(file) as audio:
            rate, frames = audio.samplerate, audio.frames
            is_whole = frames == 0 or _can_read(audio, frames - 1)
        return Header(rate, frames if is_whole else _readable(file, frames), frames)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise UnreadableError("can't be decoded", _way_out(head) or decoder_says(error)) from error


def _way_out(head: bytes) -> str:
    """Returns what to do with a file of a kind that libsndfile does not read; nothing when it is none that is known."""
    if head[:7] == b"NIST_1A" and b"shorten" in head:
        return _SHORTEN
    return next((said for (place, magic), said in _FOREIGN.items() if head.startswith(magic, place)), "")


def open_audio(file: RecordingFile) -> soundfile.SoundFile:
    """Opens a recording; the descriptor stays open."""
    if isinstance(file, int):
        os.lseek(file, 0, os.SEEK_SET)
    return soundfile.SoundFile(file, closefd=False)


def parse_wave(head: bytes, size: int) -> Header | None:
    """Reads a plain RIFF WAVE header without libsndfile, six times as fast and stricter.

    libsndfile takes what is there of a file that was cut short for the whole.

    Returns:
        None when it is no WAVE file with linear PCM or floats, or an unusual one.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    rate = block = 0
    place = 12
    if head[36:40] == b"data" and head[12:20] == _PLAIN_FORMAT:  # as nearly all are
        kind, channels, rate, _, block, bits, _, length = _PLAIN.unpack_from(head, 20)
        if kind == _PCM and bits in (8, 16, 24, 32) and rate and block == channels * bits // 8 and block:
            return _held(rate, block, length, size - 44)
    while place + 8 <= len(head):
        name = head[place : place + 4]
        (length,) = struct.unpack_from("<I", head, place + 4)
        place += 8
        if name == b"fmt " and length >= 16 and place + length <= len(head):
            kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", head, place)
            if kind == _EXTENSIBLE and length >= 40:
                (kind,) = struct.unpack_from("<H", head, place + 24)
            is_plain = (kind == _PCM and bits in (8, 16, 24, 32)) or (kind == _FLOAT and bits in (32, 64))
            if not is_plain or not channels or not rate or block != channels * bits // 8:
                return None
        elif name == b"data":
            if not block:
                return None
            return _held(rate, block, length, size - place)
        place += length + length % 2
    return None


def _held(rate: int, block: int, length: int, there: int) -> Header:
    """Compares the length that a data chunk claims with what is there, both in bytes."""
    frames = max(0, there) // block
    promised = frames if length in _UNKNOWN_SIZES else length // block
    return Header(rate, min(frames, promised), promised)


def _readable(file: RecordingFile, promised: int) -> int:
    """Returns how many frames are there: a FLAC file that was cut short still promises all of them."""
    low, high = 0, promised - 1  # frames below `low` can be read, `high` can't
    while high - low > 1:
        middle = (low + high) // 2
        with open_audio(file) as audio:  # anew: a decoder that failed goes on failing
            is_there = _can_read(audio, middle)
        low, high = (middle, high) if is_there else (low, middle)
    return low


@contextlib.contextmanager
def at_frame(audio: soundfile.SoundFile, frame: int) -> Iterator[None]:
    """Goes to a frame of a recording, to read on from there.

    What MP3 has of a moment begins in earlier frames. So its decoder starts some frames early, calls what it can't
    decode of them an error on stderr, line by line, and is right when it arrives.
    """
    with unheard() if audio.format == "MP3" and frame else contextlib.nullcontext():
        audio.seek(frame)
        yield


def _can_read(audio: soundfile.SoundFile, frame: int) -> bool:
    try:
        with at_frame(audio, frame):
            return len(audio.read(1)) == 1
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def decoder_says(error: Exception) -> str:
    """Returns what libsndfile says, without the number that it gave the open file."""
    return re.sub(r"^Error opening [^:]*: ", "", str(error))
