"""What `prepare` leaves in the manifest folder: written together, recognised when complete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speechft_cli.data.corpus import Rejected
from speechft_cli.data.manifests import manifest_hash, manifest_path, write_manifest
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import write_json, write_text
from speechft_cli.io.hashes import file_hash

#: The record of a finished `prepare`; a folder without it is unfinished.
RECORD = "prepare.json"
#: What was left out and why, one JSON object a line.
REJECTED = "rejected.jsonl"


def request_hash(request: Mapping[str, object]) -> str:
    """Returns the SHA-256 of a request as hex."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def finished_record(folder: Path, request: Mapping[str, object]) -> Mapping[str, object] | None:
    """Returns the record in `folder` when it answers `request` and all files it names are there and unchanged."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        is_same = record["request_hash"] == request_hash(request)
        files = record["files"]
        audio_files = record["audio_files"]
    except (OSError, ValueError, KeyError, TypeError):  # absent or not written by us: do the work
        return None
    if not is_same or audio_files != sum(1 for _ in (folder / "audio").rglob("*.flac")) * bool(audio_files):
        return None
    is_whole = all((folder / name).is_file() and file_hash(folder / name) == hash_ for name, hash_ in files.items())
    return dict(record) if is_whole else None


def forget_prepared(folder: Path) -> None:
    """Removes the record and the manifests of `folder`, the record first: nothing may describe what is no more."""
    for path in (folder / RECORD, *(manifest_path(folder, split) for split in SPLITS)):
        path.unlink(missing_ok=True)


def data_hash(folder: Path) -> str:
    """Returns the SHA-256 of the manifests of `folder` and of the recordings' state when they were prepared, as hex.

    A recording that was mended in place, and prepared again, changes it although the manifests are the same.

    Raises:
        RequestError: A manifest is damaged.
    """
    digest = hashlib.sha256(manifest_hash(folder).encode())
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # manifests made by hand have no record
        digest.update(json.loads((folder / RECORD).read_text(encoding="utf-8"))["request_hash"].encode())
    return digest.hexdigest()


def write_prepared(
    folder: Path,
    kept: Mapping[str, Sequence[Utterance]],
    rejected: Sequence[Rejected],
    *,
    request: Mapping[str, object],
    facts: Mapping[str, object],
    audio_files: int,
) -> Mapping[str, object]:
    """Replaces all manifests of `folder` and returns the record.

    Everything is written beside the old files first, so a full disk leaves these as they were. The record goes first
    and comes last: whoever finds one finds the manifests that belong to it.

    Args:
        folder: The manifest folder; made when missing.
        kept: Split → its utterances; a split without any gets no manifest.
        rejected: What was left out.
        request: What was asked for; the same request is recognised by `finished_record`.
        facts: What else the record says.
        audio_files: How many recordings were generated into `folder / "audio"`.

    Raises:
        SpeechftError: The disk is full or the folder can't be written to.
    """
    with _staging(folder) as staging:
        for split, utterances in kept.items():
            if utterances:
                write_manifest(staging, split, utterances, home=folder)
        write_text(staging / REJECTED, "".join(_rejected_line(each) for each in rejected))
        record = {
            "request": dict(request),
            "request_hash": request_hash(request),
            "manifest_hash": manifest_hash(staging),
            **facts,
            "audio_files": audio_files,
            "files": {path.name: file_hash(path) for path in sorted(staging.iterdir())},
        }
        write_json(staging / RECORD, record)
        forget_prepared(folder)
        for path in sorted(staging.iterdir(), key=lambda path: path.name == RECORD):
            path.replace(folder / path.name)
    return record


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".prepare.", dir=folder))
    except OSError as error:
        raise SpeechftError(f"{folder}: can't be written to: {error}", "choose another --out") from error
    try:
        yield staging
    except OSError as error:
        raise SpeechftError(f"{folder}: can't be written: {error}", "check the disk space and permissions") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _rejected_line(each: Rejected) -> str:
    line = {
        "id": each.id,
        "audio": str(each.audio),
        "split": each.split,
        "reason": each.reason,
        "detail": each.detail,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"
