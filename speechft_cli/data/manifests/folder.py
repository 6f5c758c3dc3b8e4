"""Manifest folders: per split lhotse cuts, `cuts-<split>.jsonl.gz`, or lhotse Shar archives in `shar-<split>/`.

Beside them lies `cuts-<split>.index`, the same as columns, which is read in their place as long as it fits them. It
holds nothing of its own: without it manifests are read line by line.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.data.columns import Columns, ColumnsBuilder, read_columns
from speechft_cli.data.manifests.blocks import GZIP_BEGIN, GZIP_END, Block, BlockTask, Sums, do_block
from speechft_cli.data.manifests.cuts import parse_cut
from speechft_cli.data.manifests.index import CONTENT, PACKED, IndexWriter, index_path, open_spools, packed_hash
from speechft_cli.data.manifests.shards import locate, shard_folder
from speechft_cli.data.utterance import SPLITS
from speechft_cli.data.utterances import Utterances
from speechft_cli.data.workers import in_processes
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_path


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


def audio_inside(home: Path) -> str:
    """Returns how the paths of audio in a manifest folder begin: the folder can be moved when they are relative."""
    return f"{os.path.abspath(home)}/"  # noqa: PTH100  # Path.absolute keeps `..`


def write_manifests(
    pieces: Iterable[tuple[str, bytes]], folder: Path, *, home: Path, workers: int
) -> Iterator[tuple[str, Sums]]:
    """Writes manifests and yields what was written.

    Args:
        pieces: Split and verdicts of good utterances, in the order of their ids, with absolute paths.
        folder: The manifest folder.
        home: Where the manifests are going to be moved to.
        workers: How many processes make lines of them.
    """
    inside = audio_inside(home)
    tasks = (BlockTask(split, verdicts, inside) for split, verdicts in pieces)
    with contextlib.ExitStack() as stack:
        writers: dict[str, Callable[[Block], None]] = {}
        for block in in_processes(do_block, tasks, workers=workers):
            if block.split not in writers:
                writers[block.split] = stack.enter_context(manifest_writer(folder, block.split))
            writers[block.split](block)
            yield block.split, block.sums


@contextlib.contextmanager
def manifest_writer(folder: Path, split: str) -> Iterator[Callable[[Block], None]]:
    """Gives a function that adds a block to a manifest and its index; they appear when all ends well.

    Blocks come sorted by id. The same blocks give the same bytes. Memory does not grow with their number.
    """
    with contextlib.ExitStack() as stack:
        spools = stack.enter_context(open_spools(folder))
        path = stack.enter_context(atomic_path(manifest_path(folder, split)))
        file = stack.enter_context(path.open("wb"))
        index = IndexWriter(spools)
        checksum = size = 0
        file.write(GZIP_BEGIN)

        def add(block: Block) -> None:
            nonlocal checksum, size
            file.write(block.packed)
            checksum = zlib.crc32(block.lines, checksum)
            size += len(block.lines)
            index.append(block.columns, block.lines)

        yield add
        file.write(GZIP_END + struct.pack("<II", checksum, size % 2**32))
        file.close()
        index.write(folder, split, [path])


def read_manifest(folder: Path, split: str) -> Utterances:
    """Reads one split, in the order of the ids.

    Raises:
        RequestError: There is no such manifest, and the message says what is there and how to make it; or it is
            damaged.
    """
    return Utterances(_read(folder, split).columns, folder)


def read_splits(folder: Path) -> dict[str, Utterances]:
    """Reads every split that is there.

    Raises:
        RequestError: There is none, or one is damaged.
    """
    return {split: read_manifest(folder, split) for split in available_splits(folder) or ("train",)}


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
            if path.suffix == ".gz" and not path.stat().st_size:
                raise EOFError("file of 0 bytes")  # which gzip takes for no lines
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
        hint = f"speechft prepare CORPUS --root DIR --out {folder} makes it; with a config, speechft prepare -c FILE"
        return RequestError(f"{folder}: must be a folder of manifests, but there is no such folder", hint)
    if folder.is_file():
        return RequestError(f"{folder}: must be a folder of manifests, is a file", f"a folder such as {folder.parent}")
    hint = f"speechft prepare CORPUS --root {folder} --out data makes them of what is there"
    return RequestError(f"{folder}: must be a folder of manifests, has no {name}", hint)


def _damaged(path: Path, number: int, error: Exception) -> RequestError:
    return RequestError(
        f"{path}:{number}: must be a manifest, can't be read: {error}", "speechft prepare makes it anew"
    )
