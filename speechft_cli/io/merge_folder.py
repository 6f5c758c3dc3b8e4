"""A merged folder: one checkpoint and merge.json, which says what it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_folder, atomic_path, write_json
from speechft_cli.io.hashes import file_hash

#: Name of the file that says what a folder's checkpoint was made of.
RECORD = "merge.json"


def read_merge(folder: Path) -> dict[str, object]:
    """Reads merge.json.

    Raises:
        RequestError: There is none, or it is broken.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        identity(record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path}: must be the record of a merge, can't be read: {error!r}") from error
    return cast("dict[str, object]", record)


def identity(record: Mapping[str, object]) -> dict[str, object]:
    """Returns what makes two merges the same: what was merged, how, and under which file name.

    Where the sources lie is no part of it: their weights are.
    """
    base, output = (cast("Mapping[str, object]", record[key]) for key in ("base", "output"))
    tuned = cast("list[Mapping[str, object]]", record["tuned"])
    return {
        **{key: record[key] for key in ("family", "method", "parameters", "alpha")},
        "base": base["weights_sha256"],
        "tuned": [each["weights_sha256"] for each in tuned],
        "file": output["file"],
    }


def find_conflict(folder: Path, record: Mapping[str, object]) -> str:
    """Says why the merge of `record` may not be written into `folder`; empty when it may.

    It may when the folder holds neither a merge nor a file of the checkpoint's name, or this very merge.
    """
    wanted = identity(record)
    checkpoint = folder / str(wanted["file"])
    if folder.exists() and not folder.is_dir():
        return f"{folder}: must be a folder, is a file"
    if not (folder / RECORD).exists():
        return f"{checkpoint}: exists and was not written by merge" if checkpoint.exists() else ""
    try:
        held = identity(read_merge(folder))
    except RequestError as error:
        return error.message
    other = [_difference(key, held[key], wanted[key]) for key in wanted if held[key] != wanted[key]]
    return f"{folder}: holds another merge: {', '.join(other)}" if other else ""


def is_done(folder: Path, record: Mapping[str, object]) -> bool:
    """Whether `folder`, which has no conflict, holds the merge of `record` and its checkpoint is unharmed."""
    checkpoint = folder / str(identity(record)["file"])
    if not (folder / RECORD).exists() or not checkpoint.is_file():
        return False
    output = cast("Mapping[str, object]", read_merge(folder)["output"])
    return output.get("sha256") == file_hash(checkpoint)


def write_merge(folder: Path, record: Mapping[str, object], save: Callable[[Path], None]) -> None:
    """Writes a merged folder: a new one whole or not at all, into an existing one file by file.

    Args:
        folder: The folder, without conflict; other files in it stay.
        record: The content of merge.json; the checkpoint's size and SHA-256 are added to its `output`.
        save: Writes the checkpoint to the path it is given; may raise OSError.

    Raises:
        SpeechftError: It can't be written.
    """
    name = str(identity(record)["file"])
    if folder.exists():
        # The record gets its place first: were the checkpoint first and the record never, a rerun would see a
        # stranger's file; as it is, it sees its own merge without a checkpoint and makes it again.
        with atomic_path(folder / name) as unfinished:
            _fill(unfinished, folder, record, save)
    else:
        with atomic_folder(folder) as unfinished:
            _fill(unfinished / name, unfinished, record, save)


def _fill(checkpoint: Path, folder: Path, record: Mapping[str, object], save: Callable[[Path], None]) -> None:
    save(checkpoint)
    facts = {"bytes": checkpoint.stat().st_size, "sha256": file_hash(checkpoint)}
    write_json(folder / RECORD, {**record, "output": {**cast("Mapping[str, object]", record["output"]), **facts}})


def _difference(key: str, held: object, wanted: object) -> str:
    if key in {"base", "tuned"}:
        return f"another {key} checkpoint"
    return f"{key} {held} instead of {wanted}"
