"""A merged folder: a checkpoint in one or more formats, its card, and merge.json, which says what it was made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import UNFINISHED, atomic_files, atomic_folder, remove_unfinished, write_json
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.walk import walk

#: Name of the file that says what a folder's checkpoint was made of.
RECORD = "merge.json"
#: Name of the model card.
CARD = "README.md"
#: Keys that have the same values in two records of the same merge.
_SAME = ("family", "method", "parameters", "alpha")
#: More such keys → the values that stand for their absence in older records.
_ONCE: dict[str, object] = {"filters": [], "weight_norm": "stored", "statistics": None}


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


def find_merges(folder: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    """Yields checkpoint and record of every merge in a folder: in itself, or in the folders below it by their paths.

    Args:
        folder: Where `speechft merge` wrote.

    Raises:
        RequestError: A merge.json can't be read.
    """
    for path in sorted(place / RECORD for place, _, names in walk(folder) if RECORD in names):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        record = read_merge(path.parent)
        # `files` names what is inside a Hugging Face folder, `file` the folder
        checkpoint = path.parent / str(cast("Mapping[str, object]", record["output"])["file"])
        if checkpoint.exists():
            yield checkpoint, record


def identity(record: Mapping[str, object], *, by: str = "weights_sha256") -> dict[str, object]:
    """Returns what makes two merges the same: what was merged, how, and under which file names.

    Where the sources lie is no part of it: their weights are.

    Args:
        record: The content of merge.json.
        by: What names a source: the hash of its weights, or something that is known without reading it.
    """
    base, output = (cast("Mapping[str, object]", record[key]) for key in ("base", "output"))
    tuned = cast("list[Mapping[str, object]]", record["tuned"])
    return {
        **{key: record[key] for key in _SAME},
        **{key: record.get(key, once) for key, once in _ONCE.items()},
        "base": base[by],
        "tuned": [each[by] for each in tuned],
        "file": output["file"],
        "formats": output.get("formats", ["s3prl"]),
    }


def find_conflict(folder: Path, record: Mapping[str, object], names: Sequence[str], *, is_read: bool) -> str:
    """Says why the merge of `record` may not be written into `folder`; empty when it may.

    It may when the folder holds neither a merge nor anything of the names that will be written, or this very merge.

    Args:
        folder: The folder.
        record: The content of merge.json.
        names: What else will be written there.
        is_read: Whether the record has the hashes of its sources; without, they count as the same.
    """
    if folder.exists() and not folder.is_dir():
        return f"{folder}: must be a folder, is a file"
    if not (folder / RECORD).exists():
        if (folder / "run.json").exists():  # which of its two encoders would `--model FOLDER` mean?
            return f"{folder}: must be a folder of its own, holds a fine-tuning run"
        taken = [folder / name for name in names if (folder / name).exists()]
        return f"{taken[0]}: exists and was not written by merge" if taken else ""
    try:
        held = identity(read_merge(folder))
    except RequestError as error:
        return error.message
    wanted = identity(record) if is_read else {**identity(record, by="path"), **{k: held[k] for k in ("base", "tuned")}}
    other = [_difference(key, held[key], wanted[key]) for key in wanted if held[key] != wanted[key]]
    return f"{folder}: holds another merge: {', '.join(other)}" if other else ""


def is_done(folder: Path) -> bool:
    """Whether `folder` holds a merge whose files are what was written."""
    if not (folder / RECORD).exists():
        return False
    output = cast("Mapping[str, object]", read_merge(folder)["output"])
    files = cast("Mapping[str, Mapping[str, object]]", output.get("files") or {})
    return bool(files) and all(
        (folder / name).is_file() and file_hash(folder / name) == facts["sha256"] for name, facts in files.items()
    )


def write_merge(folder: Path, fill: Callable[[Path], Mapping[str, object]]) -> None:
    """Writes a merged folder: a new one whole or not at all, into an existing one file by file.

    Args:
        folder: The folder, without conflict; other files in it stay.
        fill: Writes all files but the record into the folder it is given, and returns the record; may raise OSError.

    Raises:
        SpeechftError: It can't be written.
    """
    if not folder.exists():
        with atomic_folder(folder) as unfinished:
            write_json(unfinished / RECORD, fill(unfinished))
        return
    # The record gets its place first: were the checkpoint first and the record never, a rerun would see a stranger's
    # file; as it is, it sees its own merge without a checkpoint and makes it again.
    with atomic_files(folder, first=RECORD) as unfinished:
        write_json(unfinished / RECORD, fill(unfinished))


def remove_leftovers(out: Path, folders: Sequence[Path]) -> None:
    """Removes what kills in the middle of merges left in `out`; nobody else may be writing there.

    Args:
        out: The output folder.
        folders: Merged folders in it, which a kill may have left under another name.
    """
    # a folder of thousands of alphas is listed once, not for each of them
    hidden = {parent: [path.name for path in parent.glob(".*")] for parent in {folder.parent for folder in folders}}
    for folder in folders:
        if any(name.startswith(f".{folder.name}.") for name in hidden[folder.parent]):
            remove_unfinished(folder)
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    # alphas of an earlier, other grid too; nothing outside the folders that this merge writes
    for parent in {folder.parent for folder in folders if folder != out}:
        for unfinished in parent.glob(".alpha-*.????????*"):
            shutil.rmtree(unfinished, ignore_errors=True)


def _difference(key: str, held: object, wanted: object) -> str:
    if key in {"base", "tuned"}:
        return f"another {key} checkpoint"
    return f"{key} {held} instead of {wanted}"
