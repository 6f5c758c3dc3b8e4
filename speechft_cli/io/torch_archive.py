"""Writing a torch checkpoint whose tensors are not all in memory: each is asked for when its turn has come.

The file is the one that torch.save would write: torch lays it out without the numbers, and they are filled in from
the front to the back, with the checksums that a zip archive has.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from speechft_cli.io.hashes import tensor_bytes

#: Of a zip archive: signatures; bytes before the name in an entry's header, here and in the directory at the end; and
#: where in them the lengths of the name and of what comes after it lie, and the checksum.
_DESCRIPTOR, _CENTRAL = b"PK\x07\x08", b"PK\x01\x02"
_LOCAL_SIZE, _LOCAL_NAME = 30, 26
_CENTRAL_SIZE, _CENTRAL_NAME, _CENTRAL_CHECKSUM = 46, 28, 16
#: Bytes after which what was written is sent to the disk.
_SYNCED = 64_000_000
#: What torch calls the entries that hold numbers.
_DATA = "/data/"


def stand_in(tensor: Tensor) -> Tensor:
    """Returns a tensor of the same dtype and shape whose memory is never touched, and so takes none."""
    return torch.empty(tensor.shape, dtype=tensor.dtype)


def save_streamed(tree: Mapping[str, object], tensors: Iterable[Tensor], path: Path) -> str:
    """Writes `tree` as torch.save does, with the numbers of `tensors` in place of its own.

    Args:
        tree: Holds no tensors but stand-ins, each its own.
        tensors: One for each stand-in, in the order in which they lie in the tree; asked for one after the other.
        path: The file.

    Returns:
        The SHA-256 of the file as hex.

    Raises:
        OSError: The file can't be written.
    """
    layout = path.with_name(f"{path.name}.layout") / path.name  # the archive's inner folder is named after the file
    layout.parent.mkdir()
    try:
        try:
            with torch.serialization.skip_data():
                torch.save(tree, layout)
        except RuntimeError as error:  # how torch reports a full disk
            raise OSError(str(error)) from error
        with layout.open("rb") as source, path.open("wb") as target, ThreadPoolExecutor(1) as disk:
            return _fill(source, _Target(target, disk), tensors)
    finally:
        layout.unlink(missing_ok=True)
        layout.parent.rmdir()


class _Target:
    """A file that is hashed while it is written, and on its way to the disk while more is being computed."""

    def __init__(self, file: BinaryIO, disk: ThreadPoolExecutor) -> None:
        self._file = file
        self._disk = disk
        self._digest = hashlib.sha256()
        self._waiting = 0

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._waiting += len(data)
        if self._waiting > _SYNCED:
            self._waiting = 0
            # what fails here fails again when the finished file is synced, and is reported then
            self._disk.submit(os.fsync, self._file.fileno())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _fill(source: BinaryIO, target: _Target, tensors: Iterable[Tensor]) -> str:
    with zipfile.ZipFile(source) as archive:
        entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
        directory = archive.start_dir
    # torch lays the tensors down in the order in which it meets them
    numbers = iter(tensors)
    checksums: dict[str, int] = {}
    ends = [*(entry.header_offset for entry in entries[1:]), directory]
    for entry, end in zip(entries, ends, strict=True):
        source.seek(entry.header_offset)
        header = source.read(_LOCAL_SIZE)
        target.write(header + source.read(sum(struct.unpack_from("<HH", header, _LOCAL_NAME))))
        if _DATA in entry.filename:
            data = tensor_bytes(next(numbers))
            if len(data) != entry.file_size:
                raise ValueError(f"{entry.filename}: must have {entry.file_size} bytes, got {len(data)}")
            target.write(data)
            checksums[entry.filename] = zlib.crc32(data)
            source.seek(entry.file_size, 1)
        else:
            target.write(source.read(entry.file_size))
            checksums[entry.filename] = entry.CRC
        target.write(_with_checksum(source.read(end - source.tell()), checksums[entry.filename]))
    source.seek(directory)
    target.write(_directory(source.read(), checksums))
    return target.hexdigest()


def _with_checksum(descriptor: bytes, checksum: int) -> bytes:
    """What follows an entry's content: a signature, the checksum, the sizes; nothing after an empty entry."""
    if not descriptor.startswith(_DESCRIPTOR):
        return descriptor
    return descriptor[:4] + struct.pack("<I", checksum) + descriptor[8:]


def _directory(directory: bytes, checksums: Mapping[str, int]) -> bytes:
    """The list of entries at the end of the archive, with the checksums filled in."""
    filled = bytearray(directory)
    place = 0
    while filled[place : place + 4] == _CENTRAL:
        lengths = struct.unpack_from("<HHH", filled, place + _CENTRAL_NAME)
        name = filled[place + _CENTRAL_SIZE : place + _CENTRAL_SIZE + lengths[0]].decode()
        struct.pack_into("<I", filled, place + _CENTRAL_CHECKSUM, checksums[name])
        place += _CENTRAL_SIZE + sum(lengths)
    return bytes(filled)
