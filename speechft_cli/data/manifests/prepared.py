"""What `prepare` leaves in the manifest folder: written together, recognised when complete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from speechft_cli.data.manifests.folder import manifest_hash, manifest_path
from speechft_cli.data.manifests.index import index_path
from speechft_cli.data.manifests.shards import shard_folder
from speechft_cli.data.utterance import SPLITS
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import FULL, write_json
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.records import read_json

#: The record of a finished `prepare`; a folder without it is unfinished.
RECORD = "prepare.json"
#: Folder of what an interrupted `prepare` has done, in the manifest folder.
WORK = ".prepare"
#: What was left out and why, one JSON object a line.
REJECTED = "rejected.jsonl"


def request_hash(request: Mapping[str, object]) -> str:
    """Returns the SHA-256 of a request as hex."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def finished_record(folder: Path, request: Mapping[str, object]) -> Mapping[str, object] | None:
    """Returns the record in `folder` when it answers `request` and all files it names are there and unchanged."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        is_same = request_hash(record["request"]) == request_hash(request)
        files = record["files"]
        audio_files = record["audio_files"]
        record["listing"], record["rejected"], record["splits"]
    except (OSError, ValueError, KeyError, TypeError):  # absent or not written by us: do the work
        return None
    if not is_same or audio_files != sum(1 for _ in (folder / "audio").rglob("*.flac")) * bool(audio_files):
        return None
    is_whole = all((folder / name).is_file() and _state(folder / name) == state for name, state in files.items())
    return dict(record) if is_whole else None


def forget_prepared(folder: Path) -> None:
    """Removes the record and the manifests of `folder`, the record first: nothing may describe what is no more."""
    paths = [path for split in SPLITS for path in (manifest_path(folder, split), index_path(folder, split))]
    for path in (folder / RECORD, *paths):
        path.unlink(missing_ok=True)
    for split in SPLITS:
        shutil.rmtree(shard_folder(folder, split), ignore_errors=True)


def data_hash(folder: Path) -> str:
    """Returns the SHA-256 of the manifests of `folder` and of the recordings' state when they were prepared, as hex.

    A recording that was mended in place, and prepared again, changes it although the manifests are the same.

    Raises:
        RequestError: A manifest is damaged.
    """
    digest = hashlib.sha256(manifest_hash(folder).encode())
    digest.update(str(read_json(folder / RECORD).get("request_hash", "")).encode())  # "" for manifests made by hand
    return digest.hexdigest()


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Gives a folder beside the old manifests to write the new ones into; it vanishes in the end.

    Raises:
        SpeechftError: The disk is full or the folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in left_staging(folder):  # the caller holds the folder's lock
            shutil.rmtree(left, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".staging.", dir=folder))
    except OSError as error:
        raise SpeechftError(f"{folder}: can't be written to: {error.strerror}", "choose another --out") from error
    try:
        yield unfinished
    except OSError as error:
        raise not_written(folder, error) from error
    except SpeechftError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in FULL:  # the message is about the folder, not about one file
            raise not_written(folder, cause) from error
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def left_staging(folder: Path) -> Iterator[Path]:
    """Yields what a kill has left of unfinished manifests."""
    return folder.glob(".staging.*")


def not_written(folder: Path, error: OSError) -> SpeechftError:
    """Says that the disk of a manifest folder is full or gone, and that nothing is lost."""
    return SpeechftError(
        f"{folder}: can't be written: {error.strerror or error}",
        "check the disk space and permissions; the same command goes on from here",
    )


def publish(
    unfinished: Path,
    folder: Path,
    *,
    request: Mapping[str, object],
    listing: str,
    facts: Mapping[str, object],
    audio_files: int,
) -> Mapping[str, object]:
    """Replaces all manifests of `folder` by those in `unfinished` and returns the record.

    The record goes first and comes last: whoever finds one finds the manifests that belong to it.

    Args:
        unfinished: Holds the manifests and the list of what was rejected.
        folder: The manifest folder.
        request: What was asked for; the same request is recognised by `finished_record`.
        listing: Names what lay there and its state.
        facts: What else the record says.
        audio_files: How many recordings were generated into `folder / "audio"`.
    """
    files = sorted(path for path in unfinished.rglob("*") if path.is_file())
    record = {
        "request": dict(request),
        "listing": listing,
        "request_hash": request_hash({**request, "listing": listing}),
        "manifest_hash": manifest_hash(unfinished),
        **facts,
        "audio_files": audio_files,
        "files": {path.relative_to(unfinished).as_posix(): _state(path) for path in files},
    }
    write_json(unfinished / RECORD, record)
    forget_prepared(folder)
    for path in sorted(unfinished.iterdir(), key=lambda path: path.name == RECORD):
        path.replace(folder / path.name)
    return record


def _state(path: Path) -> str:
    """Names a file by its content, an archive of audio by its length: hashing a terabyte takes too long."""
    return f"{path.stat().st_size} bytes" if path.suffix == ".tar" else file_hash(path)
