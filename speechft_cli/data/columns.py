"""A manifest as columns in one file: a million utterances are ready at once, shared by every process that reads them.

The JSON of a million cuts takes half a minute to parse, and as many Python objects take gigabytes. Columns are mapped
into memory instead, and an utterance becomes an object when somebody asks for it.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray


class Row(NamedTuple):
    """One utterance as numbers and texts; what is absent is None or 0."""

    start: float
    duration: float
    sample_rate: int
    offset: int
    size: int
    id: str
    audio: str
    text: str | None
    normalised: str | None
    phones: str | None
    speaker: str | None
    language: str | None
    licence: str | None
    labels: str | None  # as JSON
    task_splits: str | None  # as JSON


#: Column → type of its numbers.
NUMBERS = {"start": "<f8", "duration": "<f8", "sample_rate": "<i4", "offset": "<i8", "size": "<i8"}
#: Columns of text, each stored as all bytes in a row and where each value ends.
TEXTS = tuple(name for name in Row._fields if name not in NUMBERS)

_MAGIC = b"speechft columns 1\n"
_HEADER_SIZE = 4096  # so that the arrays begin at the border of a page
_ABSENT = b"\xff"  # no UTF-8 text is this byte
_ROWS = 4096  # held as objects before they become bytes
_NEAR = 4  # rows are neighbours when no more than so many times their bytes lie between the first and the last


@dataclass(frozen=True)
class Columns:
    """Some utterances, column by column.

    Attributes:
        length: How many utterances.
        numbers: Name → values (length,).
        texts: Name → all bytes (any,) and the end of each value in them (length,).
        facts: What else the writer said, for example hashes.
    """

    length: int
    numbers: Mapping[str, NDArray[np.generic]]
    texts: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]
    facts: Mapping[str, str]

    def some_texts(self, name: str, rows: NDArray[np.int64]) -> list[str | None]:
        """Returns the values of some rows of a text column."""
        values, ends = self.texts[name]
        if len(rows) == 0:
            return []
        begins, its_ends = np.where(rows > 0, ends[rows - 1], 0), ends[rows]
        first, last = int(begins.min()), int(its_ends.max())
        pairs = zip((begins - first).tolist(), (its_ends - first).tolist(), strict=True)
        if last - first <= _NEAR * int((its_ends - begins).sum()):  # most of what lies between them is copied at once
            block = values[first:last].tobytes()
            cut = (block[begin:end] for begin, end in pairs)
        else:
            cut = (values[first + begin : first + end].tobytes() for begin, end in pairs)
        return [None if value == _ABSENT else value.decode() for value in cut]

    def is_absent(self, name: str) -> bool:
        """Whether no row has a value in a text column."""
        values, ends = self.texts[name]
        # an empty text has no byte, and no other has this one
        return len(values) == len(ends) and bool((values == _ABSENT[0]).all())


class Encoded(NamedTuple):
    """Some rows as bytes.

    Attributes:
        length: How many rows.
        values: Column → its values in a row.
        sizes: Column of text → the length of each value [bytes], as int64.
    """

    length: int
    values: Mapping[str, bytes]
    sizes: Mapping[str, bytes]


class ColumnsBuilder:
    """Collects rows and turns them into columns, in memory or through files."""

    def __init__(self, open_spool: Callable[[], IO[bytes]] = io.BytesIO) -> None:
        """
        Args:
            open_spool: Makes the place for the bytes of one column; temporary files keep the memory flat.
        """
        self.length = 0
        self._rows: list[Row] = []
        self._spools = {name: open_spool() for name in (*NUMBERS, *TEXTS)}
        self._ends = {name: open_spool() for name in TEXTS}
        self._sizes = dict.fromkeys(TEXTS, 0)

    def add(self, row: Row) -> None:
        """Adds one utterance."""
        self._rows.append(row)
        if len(self._rows) == _ROWS:
            self._flush()

    def append(self, encoded: Encoded) -> None:
        """Adds what `encode_rows` made, after all that was added before."""
        self._flush()
        self._append(encoded)

    def columns(self) -> Columns:
        """Returns what was added, from memory."""
        self._flush()

        def array(spool: IO[bytes], kind: str) -> NDArray[np.generic]:
            spool.seek(0)
            return np.frombuffer(spool.read(), dtype=kind)

        numbers = {name: array(self._spools[name], kind) for name, kind in NUMBERS.items()}
        texts = {name: (array(self._spools[name], "u1"), array(self._ends[name], "<i8")) for name in TEXTS}
        return Columns(self.length, numbers, texts, {})  # type: ignore[arg-type]  # the types stand in `kind`

    def write(self, path: Path, facts: Mapping[str, str]) -> None:
        """Writes what was added to a file; `facts` must be short."""
        self._flush()
        parts = [(name, self._spools[name]) for name in NUMBERS]
        parts += [part for name in TEXTS for part in ((name, self._spools[name]), (f"{name}.ends", self._ends[name]))]
        sizes = {name: spool.seek(0, io.SEEK_END) for name, spool in parts}
        header = json.dumps({"length": self.length, "sizes": sizes, "facts": dict(facts)}).encode()
        with path.open("wb") as file:
            file.write((_MAGIC + header + b"\n").ljust(_HEADER_SIZE, b" "))
            for _, spool in parts:
                spool.seek(0)
                shutil.copyfileobj(spool, file, 1 << 20)
                file.write(bytes(-file.tell() % 8))

    def _flush(self) -> None:
        if self._rows:
            self._append(encode_rows(self._rows))
            self._rows = []

    def _append(self, encoded: Encoded) -> None:
        self.length += encoded.length
        for name, values in encoded.values.items():
            self._spools[name].write(values)
        for name, sizes in encoded.sizes.items():
            ends = np.cumsum(np.frombuffer(sizes, dtype="<i8")) + self._sizes[name]
            self._ends[name].write(ends.astype("<i8").tobytes())
            self._sizes[name] = int(ends[-1])


def encode_rows(rows: Sequence[Row]) -> Encoded:
    """Returns some rows, at least one, as bytes, column by column."""
    columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True))
    values = {name: np.array(columns[name], dtype=kind).tobytes() for name, kind in NUMBERS.items()}
    sizes = {}
    for name in TEXTS:
        values[name], lengths = _encode_texts(columns[name])
        sizes[name] = np.array(lengths, dtype="<i8").tobytes()
    return Encoded(len(rows), values, sizes)


def _encode_texts(texts: Sequence[str | None]) -> tuple[bytes, Sequence[int]]:
    """Returns the bytes of all texts in a row and the length of each."""
    if texts.count(None) == len(texts):  # as most columns of most corpora are
        return _ABSENT * len(texts), (1,) * len(texts)
    if None not in texts and (joined := "".join(cast(Sequence[str], texts))).isascii():
        return joined.encode(), list(map(len, cast(Sequence[str], texts)))
    encoded = [_ABSENT if text is None else text.encode() for text in texts]
    return b"".join(encoded), list(map(len, encoded))


def read_columns(path: Path) -> Columns | None:
    """Maps a file of `ColumnsBuilder.write` into memory; None when it is another kind of file, or damaged."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_SIZE)
        header = json.loads(head.removeprefix(_MAGIC))
        whole = np.asarray(np.memmap(path, dtype="u1", mode="r"))  # a memmap takes ten times as long to slice
        parts: dict[str, NDArray[np.uint8]] = {}
        begin = _HEADER_SIZE
        for name, size in header["sizes"].items():
            parts[name] = whole[begin : begin + size]
            begin += size + -size % 8
        length = int(header["length"])
        if not head.startswith(_MAGIC) or begin != len(whole):
            return None
        numbers = {name: parts[name].view(kind) for name, kind in NUMBERS.items()}
        texts = {name: (parts[name], parts[f"{name}.ends"].view("<i8")) for name in TEXTS}
        if any(len(column) != length for column in (*numbers.values(), *(ends for _, ends in texts.values()))):
            return None
        return Columns(length, numbers, texts, header["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@functools.lru_cache(maxsize=4096)
def parse_labels(text: str) -> Mapping[str, str]:
    """Returns the mapping that a labels column holds as JSON; the many equal ones are one object."""
    value: dict[str, str] = json.loads(text)
    return value


def slices(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cuts row numbers into pieces that may be held as objects."""
    return [rows[begin : begin + _ROWS] for begin in range(0, len(rows), _ROWS)]
