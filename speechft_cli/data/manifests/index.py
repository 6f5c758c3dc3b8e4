"""The index beside a manifest: its utterances as columns, bound to the files it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from speechft_cli.data.columns import ColumnsBuilder, Encoded, Row
from speechft_cli.data.manifests.cuts import cut_line
from speechft_cli.io.atomic import atomic_path

PACKED = "packed"  # fact of an index: the hash of the files it belongs to
CONTENT = "content"  # fact of an index: the hash of what they hold


def index_path(folder: Path, split: str) -> Path:
    """Returns where the index of `split` lies in `folder`."""
    return folder / f"cuts-{split}.index"


def packed_hash(files: Sequence[Path]) -> str:
    """Returns the SHA-256 over the bytes of some files."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class IndexWriter:
    """Makes the lines of a manifest and, from the same rows, its index."""

    def __init__(self, open_spool: Callable[[], IO[bytes]]) -> None:
        self._columns = ColumnsBuilder(open_spool)
        self._content = hashlib.sha256()

    def add(self, row: Row) -> bytes:
        """Adds an utterance and returns its line."""
        self._columns.add(row)
        line = cut_line(row)
        self._content.update(line)
        return line

    def append(self, columns: Encoded, lines: bytes) -> None:
        """Adds utterances that became bytes elsewhere, and takes their lines."""
        self._columns.append(columns)
        self._content.update(lines)

    def write(self, folder: Path, split: str, files: Sequence[Path]) -> None:
        """Writes the index of the files that all lines went into."""
        with atomic_path(index_path(folder, split)) as path:
            self._columns.write(path, {PACKED: packed_hash(files), CONTENT: self._content.hexdigest()})


@contextlib.contextmanager
def open_spools(folder: Path) -> Iterator[Callable[[], IO[bytes]]]:
    """Gives a function that makes nameless files on the disk of `folder`."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(tempfile.TemporaryFile(dir=folder))
