"""What inspection found so far, on disk: after a kill the next run goes on where this one was."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.preparing.inspection import Inspected

_FRAME = struct.Struct("<II16s")  # length and checksum of the verdicts, state of the task
_NAME = b"speechft journal 1\n"


class Journal:
    """The inspected tasks of one request, in order; every task is there whole or not at all."""

    def __init__(self, path: Path, request: str) -> None:
        """Opens the journal of a request, or begins it.

        Args:
            path: Of the file; its folder exists.
            request: Names the request; the journal of another one is forgotten.
        """
        self._title = _NAME + request.encode() + b"\n"
        self._file = path.open("a+b")
        self._frames: list[tuple[int, int, bytes]] = []  # where the verdicts begin, their length, the task's state
        self._file.seek(0)
        end = 0
        if self._file.read(len(self._title)) == self._title:
            end = self._find_frames()
        self._file.truncate(end)
        if end == 0:
            self._file.seek(0)
            self._file.write(self._title)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._frames)

    def state(self, number: int) -> bytes:
        """Returns the state a task had; empty when it is not there."""
        return self._frames[number][2] if number < len(self._frames) else b""

    def cut(self, number: int) -> None:
        """Forgets a task and all after it."""
        if number < len(self._frames):
            self._file.truncate(self._frames[number][0] - _FRAME.size)
            del self._frames[number:]

    def append(self, inspected: Inspected) -> None:
        """Adds the next task."""
        assert inspected.verdicts is not None
        head = _FRAME.pack(len(inspected.verdicts), zlib.crc32(inspected.verdicts), inspected.state)
        self._file.seek(0, 2)
        begin = self._file.tell() + len(head)
        self._file.write(head + inspected.verdicts)
        self._file.flush()
        self._frames.append((begin, len(inspected.verdicts), inspected.state))

    def verdicts(self, first: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yields the verdicts of the tasks from `first` up to `end`, the last one by default."""
        for begin, length, _ in self._frames[first:end]:
            self._file.seek(begin)
            yield self._file.read(length)

    def _find_frames(self) -> int:
        """Finds the whole frames; returns where they end."""
        end = self._file.tell()
        while len(head := self._file.read(_FRAME.size)) == _FRAME.size:
            length, checksum, state = _FRAME.unpack(head)
            if zlib.crc32(self._file.read(length)) != checksum:
                break
            self._frames.append((end + _FRAME.size, length, state))
            end += _FRAME.size + length
        return end
