"""Manifest folders: per split lhotse cuts, `cuts-<split>.jsonl.gz`, or lhotse Shar archives in `shar-<split>/`.

Beside them lies `cuts-<split>.index`, the same as columns, which is read in their place as long as it fits them. It
holds nothing of its own: without it manifests are read line by line.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.data.columns import Columns, ColumnsBuilder, Row, read_columns
from speechft_cli.data.cuts import parse_cut
from speechft_cli.data.index import CONTENT, PACKED, IndexWriter, index_path, open_spools, packed_hash
from speechft_cli.data.shards import locate, shard_folder
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.data.utterances import Utterances, row_of
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_path

_LINES = 256  # written at once


def manifest_path(folder: Path, split: str) -> Path:
    """Returns where the manifest of `split` lies in `folder`, unless it is in shards."""
    return folder / f"cuts-{split}.jsonl.gz"


def manifest_files(folder: Path, split: str) -> list[Path]:
    """Returns the files that hold the cuts of `split`, in order: one, or one per shard."""
    single = manifest_path(folder, split)
    for path in (single, single.with_suffix("")):
        if path.is_file():
            return [path]
    return sorted(shard_folder(folder, split).glob("cuts.*.jsonl*"))


def available_splits(folder: Path) -> tuple[str, ...]:
    """Returns the splits that `folder` has a manifest of, in the order train, dev, test."""
    return tuple(split for split in SPLITS if manifest_files(folder, split))


def write_manifest(folder: Path, split: str, utterances: Iterable[Utterance]) -> Path:
    """Writes one split whole or not at all, sorted by id; the same utterances give the same bytes.

    Args:
        folder: The manifest folder; made when missing.
        split: train, dev or test.
        utterances: Opened and checked: duration and sample rate are known.

    Returns:
        The manifest's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with manifest_writer(folder, split) as add:
        for utterance in sorted(utterances, key=lambda each: each.id):
            add(row_of(utterance, os.path.abspath(utterance.audio)))  # noqa: PTH100  # Path.absolute keeps `..`
    return manifest_path(folder, split)


@contextlib.contextmanager
def manifest_writer(folder: Path, split: str, *, home: Path | None = None) -> Iterator[Callable[[Row], None]]:
    """Gives a function that adds a row to a manifest and its index; they appear when the block ends well.

    Rows come sorted by id, with absolute paths. Audio inside the folder is named relative to it, so that a folder that
    holds its own audio can be moved. Memory does not grow with the number of rows.

    Args:
        folder: The manifest folder.
        split: train, dev or test.
        home: Where the manifest is going to be moved to; `folder` when it stays.
    """
    inside = f"{os.path.abspath(home or folder)}/"  # noqa: PTH100  # Path.absolute keeps `..`
    with contextlib.ExitStack() as stack:
        spools = stack.enter_context(open_spools(folder))
        path = stack.enter_context(atomic_path(manifest_path(folder, split)))
        file = stack.enter_context(path.open("wb"))
        # no name, no time: reproducible bytes; level 1 takes a fifth of the time for a tenth more bytes
        packed = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0))
        thread = stack.enter_context(ThreadPoolExecutor(1))  # packing and hashing let go of the interpreter's lock
        index = IndexWriter(spools)
        lines: list[bytes] = []
        last: Future[None] | None = None

        def pack(block: bytes) -> None:
            index.hash(block)
            packed.write(block)

        def write() -> None:
            nonlocal last
            if last is not None:
                last.result()
            block = b"".join(lines)
            lines.clear()
            last = thread.submit(pack, block)

        def add(row: Row) -> None:
            if row.audio.startswith(inside):
                row = row._replace(audio=row.audio.removeprefix(inside))
            lines.append(index.add(row))
            if len(lines) == _LINES:
                write()

        yield add
        write()
        assert last is not None
        last.result()
        packed.close()
        file.close()
        index.write(folder, split, [path])


def read_manifest(folder: Path, split: str) -> Utterances:
    """Reads one split, in the order of the ids.

    Raises:
        RequestError: There is no such manifest, and the message says what is there and how to make it; or it is
            damaged.
    """
    return Utterances(_read(folder, split).columns, folder)


def manifest_hash(folder: Path) -> str:
    """Returns the SHA-256 over the contents of all manifests of `folder`, as hex.

    Raises:
        RequestError: A manifest is damaged.
    """
    digest = hashlib.sha256()
    for split in available_splits(folder):
        digest.update(f"{split} {_read(folder, split).content}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Manifest:
    columns: Columns
    content: str  # SHA-256 of all lines


def _read(folder: Path, split: str) -> _Manifest:
    files = manifest_files(folder, split)
    if not files:
        raise _missing(folder, split)
    columns = read_columns(index_path(folder, split))
    try:
        if columns is not None and columns.facts[PACKED] == packed_hash(files):
            return _Manifest(columns, columns.facts[CONTENT])
    except OSError as error:
        raise _damaged(files[0], 1, error) from error
    builder = ColumnsBuilder()
    digest = hashlib.sha256()
    for path in files:
        done = 0
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
                places: dict[str, tuple[int, int]] = {}
                for line in lines:
                    row = parse_cut(line)
                    if not row.audio:  # an archive that lhotse wrote
                        archive = path.parent / f"recording.{path.name.split('.')[1]}.tar"
                        places = places or locate(archive)
                        offset, size = places[row.id]
                        audio = archive.relative_to(folder).as_posix()
                        row = row._replace(audio=audio, start=0.0, offset=offset, size=size)
                    builder.add(row)
                    digest.update(line)
                    done += 1
        except (OSError, EOFError, zlib.error, ValueError, LookupError) as error:
            raise _damaged(path, done + 1, error) from error
    return _Manifest(builder.columns(), digest.hexdigest())


def _missing(folder: Path, split: str) -> RequestError:
    name = manifest_path(folder, split).name
    there = ", ".join(available_splits(folder))
    if there:
        hint = f"speechft prepare --join {folder} --split train=0.8,dev=0.1,test=0.1 --out ANOTHER divides it anew"
        return RequestError(f"{folder}: must hold {name}, has only {there}", hint)
    if not folder.exists():
        hint = f"speechft prepare CORPUS --root DIR --out {folder}"
        return RequestError(f"{folder}: must be a folder of manifests, but there is no such folder", hint)
    hint = f"speechft prepare CORPUS --root {folder} --out data makes them of what is there"
    return RequestError(f"{folder}: must be a folder of manifests, has no {name}", hint)


def _damaged(path: Path, number: int, error: Exception) -> RequestError:
    return RequestError(
        f"{path}:{number}: must be a manifest, can't be read: {error}", "speechft prepare makes it anew"
    )
