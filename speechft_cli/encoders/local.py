"""From an encoder's name to its file: shipped, fetched once, or fetched now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speechft_cli.encoders.base import Published
from speechft_cli.encoders.hub import hub_folder
from speechft_cli.encoders.names import HUB, checkpoints, is_baseline, is_name, is_shipped, shipped_file
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Note, Report
from speechft_cli.io.download import fetch, linked_sha256
from speechft_cli.io.kept import RECORD, cache_folder, once, read_record, record


def local_path(path: Path, report: Report) -> Path:
    """Returns where an encoder lies: a path as it is, a name as the file or folder that it stands for.

    What a name stands for is fetched at its first use, and checked at each.

    Args:
        path: A path, or a name: a relative path that is one of the names.
        report: Hears of a download.

    Raises:
        RequestError: The name is that of a baseline, which has no file.
        SpeechftError: It can't be fetched, or is no longer what came.
    """
    name = str(path)
    if path.is_absolute() or not is_name(name):
        return path
    if is_baseline(name):
        raise RequestError(
            f"{name}: is no pre-trained encoder but something to compare with, for evaluate and extract alone",
            "speechft finetune --init random starts from random weights",
        )
    if name.startswith(HUB):
        return hub_folder(name, report)
    published = checkpoints()[name]
    if not published.url:
        return shipped_file(name)
    file = kept_folder(name) / published.url.rpartition("/")[2]
    once(file.parent, lambda: _fetch(name, published, file, report), report)
    return file


def name_of(path: Path) -> str | None:
    """Returns the name whose encoder lies at `path`; None for any other file."""
    if is_shipped(path):
        return path.stem
    for folder in (path, *path.parents[:4]):
        if (folder / RECORD).is_file():
            name = (read_record(folder) or {}).get("name")
            return name if isinstance(name, str) else None
    return None


def kept_folder(name: str) -> Path:
    """Returns where the file of a published encoder is kept once it has come."""
    return cache_folder() / "encoders" / name


def named_facts(path: Path) -> dict[str, object]:
    """Returns what a record says of the file of a named encoder: its name; nothing for any other file."""
    name = name_of(path)
    return {} if name is None else {"name": name}


def recorded_path(facts: Mapping[str, object]) -> Path:
    """Returns where the encoder of a record is now: its path, or its name where a cache has been emptied since."""
    path = Path(str(facts["path"]))
    return path if path.exists() or "name" not in facts else Path(str(facts["name"]))


def _fetch(name: str, published: Published, file: Path, report: Report) -> Mapping[str, object]:
    if file.is_file():
        report(Note(f"{name}: {file} was put there by hand; its SHA-256 is noted and checked from now on"))
    else:
        try:
            sha256 = published.sha256 or linked_sha256(published.url)
            fetch(published.url, file, sha256=sha256, report=report)
        except SpeechftError as error:
            raise SpeechftError(
                f"{name}: {error.message}",
                f"the same command goes on where this one stopped; or put the file there by hand: {file}",
            ) from error
    return record(file.parent, {"name": name, "url": published.url, "license": published.license}, [file])
