"""A file that goes to the disk block by block is the bytes it was given."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from speechft_cli.io import disk_file
from speechft_cli.io.disk_file import DiskFile

BLOCK = 1 << 22


def write(path: Path, pieces: list[bytes]) -> str:
    with DiskFile(path) as file:
        for piece in pieces:
            assert file.write(piece) == len(piece)
        return file.finish()


@pytest.mark.parametrize("sector", [4096, 1])  # the second is too small for most disks, which then refuse to write
@pytest.mark.parametrize("sizes", [[], [1], [BLOCK], [BLOCK - 1, 2], [3, 5 * BLOCK, 4097, 12345]])
def test_the_file_and_its_hash_are_of_what_was_written(
    sizes: list[int], sector: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_file, "_SECTOR", sector)
    random = np.random.default_rng(0)
    pieces = [random.bytes(size) for size in sizes]
    path = tmp_path / "file"
    path.write_bytes(b"something longer that was there before" * 9999)
    assert write(path, pieces) == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert path.read_bytes() == b"".join(pieces)


@pytest.mark.parametrize("size", [10, 20 * BLOCK])
def test_a_full_disk_is_an_error_for_little_and_for_much(size: int) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write(Path("/dev/full"), [bytes(size)])
