"""The zip archive that a torch checkpoint is, read and written without torch.

Reading maps the file: what nobody looks at is never read. Writing asks for each tensor when its turn has come, so that
they need not lie in memory together; the file is the one that torch.save would write.
"""

from __future__ import annotations

import bisect
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from speechft_cli.io.arrays import Array, array_bytes
from speechft_cli.io.disk_file import DiskFile
from speechft_cli.io.torch_pickle import Slot, dump, load

Bytes: TypeAlias = NDArray[np.uint8]

#: Of a zip archive: bytes before the name in an entry's header, and where in it the lengths of the name and of what
#: comes after it lie.
_LOCAL_SIZE, _LOCAL_LENGTHS = 30, 26
#: What torch calls the entry with the pickle, and those with numbers.
_PICKLE, _DATA = "/data.pkl", "/data/"
#: torch lets numbers begin at multiples of this [bytes] and fills the gap with a field that readers skip.
_ALIGNMENT, _PADDING = 64, b"FB"


def read_archive(path: Path) -> object:
    """Returns what lies in a torch checkpoint, with arrays mapped from the file in place of tensors.

    Raises:
        ForeignTypesError: It holds something that is not harmless.
        Exception: It is damaged, in whatever way.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        # a private mapping: changing a tensor changes neither the file nor another process's copy
        content = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8)

    def entry(name: str) -> Bytes:
        info = entries[name]
        start = _start(info, content)
        if info.compress_type != zipfile.ZIP_STORED or start + info.file_size > len(content):
            raise ValueError(f"{name} must lie in the file as it is, whole")
        return content[start : start + info.file_size]

    (pickled,) = (name for name in entries if name.endswith(_PICKLE))
    root = pickled.removesuffix(_PICKLE)
    order = f"{root}/byteorder"
    if order in entries and entry(order).tobytes() != b"little":
        raise ValueError("numbers must be little-endian")
    return load(entry(pickled).tobytes(), lambda key: entry(f"{root}{_DATA}{key}"))


def damaged(path: Path, arrays: Mapping[str, Array]) -> list[str]:
    """Returns the names of arrays of `read_archive` that are not what was written, by the checksums in the file.

    torch itself does not look at them. A file that was written without them counts as whole, and so does an array that
    is not mapped from it.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    begins: dict[int, zipfile.ZipInfo] = {}
    order: list[int] = []
    known: dict[int, bool] = {}
    broken = []
    for name, array in arrays.items():
        content = _mapped(array)
        if content is None or not array.size:
            continue
        if not begins:
            begins = {_start(info, content): info for info in entries if info.file_size}
            order = sorted(begins)
        place = _address(array) - _address(content)
        start = order[bisect.bisect_right(order, place) - 1]
        if start not in known:  # tensors may share a storage
            info = begins[start]
            known[start] = zlib.crc32(content[start : start + info.file_size].data) == info.CRC
        if not known[start]:
            broken.append(name)
    return broken if any(known.values()) else []


def _start(info: zipfile.ZipInfo, content: Bytes) -> int:
    """Where an entry's own bytes begin."""
    lengths: tuple[int, int] = struct.unpack_from("<HH", content.data, info.header_offset + _LOCAL_LENGTHS)
    return info.header_offset + _LOCAL_SIZE + sum(lengths)


def _mapped(array: Array) -> Bytes | None:
    """The whole file that an array is mapped from; None for one that lies in memory."""
    owner: object = array
    while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
        owner = owner.base
    below = owner.base if isinstance(owner, np.ndarray) else None
    is_mapped = isinstance(below, memoryview) and isinstance(below.obj, mmap.mmap)
    return cast("Bytes", owner) if is_mapped else None


def _address(array: np.ndarray[tuple[int, ...], np.dtype[Any]]) -> int:
    return int(array.__array_interface__["data"][0])


def save_archive(tree: Mapping[str, object], path: Path, arrays: Iterable[Array] = ()) -> str:
    """Writes `tree` as torch.save does.

    Args:
        tree: Holds arrays where torch would have tensors, or slots that are filled later.
        path: The file.
        arrays: One for each slot, in the order in which they lie in the tree; asked for one after the other.

    Returns:
        The SHA-256 of the file as hex.

    Raises:
        OSError: The file can't be written.
    """
    pickled, places = dump(tree)
    root, later = path.stem, iter(arrays)
    with DiskFile(path) as target:
        with zipfile.ZipFile(cast("BinaryIO", target), "w") as archive:
            # torch's order; the last one would be a number of its own for each file, here it is the same for all
            for name, content in (
                ("data.pkl", pickled),
                (".format_version", b"1"),
                (".storage_alignment", str(_ALIGNMENT).encode()),
                ("byteorder", b"little"),
            ):
                _add(archive, target, f"{root}/{name}", memoryview(content))
            for key, place in enumerate(places):
                array = next(later) if isinstance(place, Slot) else place
                if Slot.of(array) != Slot(place.dtype, place.shape):
                    raise ValueError(
                        f"data/{key}: must be {place.dtype} {place.shape}, got {array.dtype} {array.shape}"
                    )
                _add(archive, target, f"{root}{_DATA}{key}", array_bytes(array))
            _add(archive, target, f"{root}/version", memoryview(b"3\n"))
            _add(archive, target, f"{root}/.data/serialization_id", memoryview(b"0" * 40))
        return target.finish()


def _add(archive: zipfile.ZipFile, target: DiskFile, name: str, content: memoryview) -> None:
    info = zipfile.ZipInfo(name)
    info.file_size = len(content)
    before = target.size + _LOCAL_SIZE + len(name) + len(_PADDING) + 2
    gap = -before % _ALIGNMENT
    info.extra = _PADDING + struct.pack("<H", gap) + b"Z" * gap
    with archive.open(info, "w") as entry:
        entry.write(content)
