"""Manifest folders: lhotse cuts, one `cuts-<split>.jsonl.gz` per split."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_path


def manifest_path(folder: Path, split: str) -> Path:
    """Returns where the manifest of `split` lies in `folder`."""
    return folder / f"cuts-{split}.jsonl.gz"


def available_splits(folder: Path) -> tuple[str, ...]:
    """Returns the splits that `folder` has a manifest of, in the order train, dev, test."""
    return tuple(split for split in SPLITS if manifest_path(folder, split).is_file())


def write_manifest(folder: Path, split: str, utterances: Iterable[Utterance], *, home: Path | None = None) -> Path:
    """Writes one split whole or not at all, sorted by id; the same utterances give the same bytes.

    Audio inside the manifest folder is named relative to it, so that a folder that holds its own audio can be moved.

    Args:
        folder: The manifest folder; made when missing.
        split: train, dev or test.
        utterances: Opened and checked: duration and sample rate are known.
        home: Where the manifest is going to be moved to; `folder` when it stays.

    Returns:
        The manifest's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = manifest_path(folder, split)
    with (
        atomic_path(path) as unfinished,
        unfinished.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,  # no name, no time: reproducible bytes
    ):
        for utterance in sorted(utterances, key=lambda each: each.id):
            packed.write(json.dumps(_to_cut(utterance, home or folder).to_dict(), ensure_ascii=False).encode() + b"\n")
    return path


def read_manifest(folder: Path, split: str) -> Iterator[Utterance]:
    """Reads one split lazily.

    Raises:
        RequestError: There is no such manifest, and the message says what is there and how to make it; or it is
            damaged.
    """
    path = manifest_path(folder, split)
    if not path.is_file():
        there = ", ".join(available_splits(folder)) or "no manifest"
        raise RequestError(
            f"{folder}: must hold {path.name}, has {there}",
            f"speechft prepare CORPUS --root DIR --out {folder}",
        )
    try:
        for cut in CutSet.from_jsonl_lazy(path):
            yield _to_utterance(cut, folder)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def manifest_hash(folder: Path) -> str:
    """Returns the SHA-256 over the unpacked contents of all manifests of `folder`, as hex."""
    digest = hashlib.sha256()
    for split in available_splits(folder):
        digest.update(f"{split}\n".encode())
        path = manifest_path(folder, split)
        try:
            digest.update(gzip.decompress(path.read_bytes()))
        except _DAMAGE as error:
            raise _damaged(path, error) from error
    return digest.hexdigest()


#: What a file that is cut short or no manifest makes gzip, json, lhotse and us raise.
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, AttributeError, AssertionError)


def _damaged(path: Path, error: Exception) -> RequestError:
    return RequestError(f"{path}: must be a manifest, can't be read: {error!r}", "speechft prepare makes it anew")


def _to_cut(utterance: Utterance, folder: Path) -> MonoCut:
    is_inside = utterance.audio.is_relative_to(folder)
    audio = utterance.audio.relative_to(folder) if is_inside else Path(os.path.abspath(utterance.audio))  # noqa: PTH100
    sample_count = round((utterance.start + utterance.duration) * utterance.sample_rate)
    custom: dict[str, object] = {"phones": utterance.phones} if utterance.phones is not None else {}
    if utterance.labels:
        custom["labels"] = dict(sorted(utterance.labels.items()))
    if utterance.task_splits:
        custom["task_splits"] = dict(sorted(utterance.task_splits.items()))
    recording = Recording(
        id=utterance.id,
        sources=[AudioSource(type="file", channels=[0], source=audio.as_posix())],
        sampling_rate=utterance.sample_rate,
        num_samples=sample_count,
        duration=sample_count / utterance.sample_rate,
    )
    supervision = SupervisionSegment(
        id=utterance.id,
        recording_id=utterance.id,
        start=0.0,
        duration=utterance.duration,
        text=utterance.text,
        speaker=utterance.speaker,
        custom=custom or None,
    )
    return MonoCut(
        id=utterance.id,
        start=utterance.start,
        duration=utterance.duration,
        channel=0,
        recording=recording,
        supervisions=[supervision],
    )


def _to_utterance(cut: MonoCut, folder: Path) -> Utterance:
    (supervision,) = cut.supervisions
    custom = supervision.custom or {}
    return Utterance(
        id=cut.id,
        audio=folder / cut.recording.sources[0].source,
        start=cut.start,
        duration=cut.duration,
        sample_rate=cut.recording.sampling_rate,
        text=supervision.text,
        phones=custom.get("phones"),
        speaker=supervision.speaker,
        labels=custom.get("labels", {}),
        task_splits=custom.get("task_splits", {}),
    )
