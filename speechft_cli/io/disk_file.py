"""A new file on its way to the disk while what comes next is being computed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

#: Bytes written at once; a few such blocks are filled, hashed and written at the same time.
_BLOCK, _BLOCKS = 1 << 22, 3
#: What direct writing wants addresses, places and lengths to be multiples of [bytes].
_SECTOR = 4096
_DIRECT = getattr(os, "O_DIRECT", 0)


class DiskFile:
    """A file that is hashed and written by threads of its own, without the system's cache where that can be.

    A grid of checkpoints would fill the cache and push out the models that are being merged; getting pages of it takes
    longer than computing the numbers. The caller still has to sync the file, which takes little time.
    """

    def __init__(self, path: Path) -> None:
        """Makes the file.

        Raises:
            OSError: It can't be written.
        """
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._is_direct = False
        with contextlib.suppress(OSError):  # not every file system has it
            self._set_direct(bool(_DIRECT))
        self._digest = hashlib.sha256()
        # one thread each, so that each has its blocks in their order
        self._hasher, self._disk = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        # anonymous maps begin at a page
        self._blocks = [np.frombuffer(mmap.mmap(-1, _BLOCK), np.uint8) for _ in range(_BLOCKS)]
        self._jobs: list[list[Future[None]]] = [[] for _ in self._blocks]
        self._turn = 0
        self._filled = 0
        self.size = 0

    def __enter__(self) -> DiskFile:
        """Returns the file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the threads and closes the file."""
        self._hasher.shutdown(cancel_futures=True)
        self._disk.shutdown(cancel_futures=True)
        os.close(self._file)

    def write(self, data: bytes | memoryview) -> int:
        """Takes bytes, which may be changed as soon as this returns.

        Raises:
            OSError: The disk is full, or bytes taken before could not be written.
        """
        rest = memoryview(data)
        self.size += len(rest)
        while rest:
            part = rest[: _BLOCK - self._filled]
            self._blocks[self._turn][self._filled : self._filled + len(part)] = np.frombuffer(part, np.uint8)
            self._filled += len(part)
            rest = rest[len(part) :]
            if self._filled == _BLOCK:
                self._send()
        return len(data)

    def flush(self) -> None:
        """Does nothing: only whole blocks are written before `finish`."""

    def finish(self) -> str:
        """Writes what is left, and returns the SHA-256 of the file as hex.

        Raises:
            OSError: The disk is full, or bytes taken before could not be written.
        """
        self._send()
        for turn in range(_BLOCKS):
            self._wait(turn)
        os.ftruncate(self._file, self.size)
        return self._digest.hexdigest()

    def _send(self) -> None:
        block, filled = self._blocks[self._turn].data, self._filled
        hashed = self._hasher.submit(self._digest.update, block[:filled])
        self._jobs[self._turn] = [hashed, self._disk.submit(self._put, block, filled)]
        self._turn, self._filled = (self._turn + 1) % _BLOCKS, 0
        self._wait(self._turn)

    def _wait(self, turn: int) -> None:
        for job in self._jobs[turn]:
            job.result()

    def _put(self, block: memoryview, filled: int) -> None:
        # the last block is written with what lies behind it, and the file cut to its size afterwards
        rest = block[: -(-filled // _SECTOR) * _SECTOR]
        while rest:  # a file may take less than it is given
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._set_direct(False)

    def _set_direct(self, is_direct: bool) -> None:
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        fcntl.fcntl(self._file, fcntl.F_SETFL, flags | _DIRECT if is_direct else flags & ~_DIRECT)
        self._is_direct = is_direct
