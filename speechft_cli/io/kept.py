"""Files that were fetched once and are used again: where they lie, and whether they are still what came."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from speechft_cli.errors import SpeechftError
from speechft_cli.events import Report
from speechft_cli.io.atomic import write_json
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.lock import in_turn
from speechft_cli.io.records import now, read_json

#: In a folder of fetched files: where they come from and what they were.
RECORD = "fetched.json"


def cache_folder() -> Path:
    """Returns where fetched files lie: $SPEECHFT_CACHE, else speechft in $XDG_CACHE_HOME, else ~/.cache/speechft."""
    own = os.environ.get("SPEECHFT_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechft"


def once(folder: Path, fetch: Callable[[], Mapping[str, object]], report: Report) -> Mapping[str, object]:
    """Fills a folder at its first use, and checks it at each later one.

    Args:
        folder: The folder; made when it does not exist.
        fetch: Fetches what belongs there, and returns what it wrote down with `record`; one process at a time does so,
            the others wait.
        report: Told where the folder's file system has no locks.

    Returns:
        What is written down.

    Raises:
        RequestError: The folder can't be written to.
        SpeechftError: A file in it is no longer what came.
    """
    facts = read_record(folder)
    if facts is None:
        with in_turn(folder, report, other="SPEECHFT_CACHE names another"):
            facts = read_record(folder)  # another process may have fetched it meanwhile
            if facts is None:
                return fetch()
    _check(folder, facts)
    return facts


def record(folder: Path, facts: Mapping[str, object], files: Sequence[Path]) -> Mapping[str, object]:
    """Writes down what lies in a folder and where it comes from; returns that."""
    hashes = {str(file.relative_to(folder)): file_hash(file) for file in files}
    whole = {**facts, "fetched": now(), "sha256": hashes}
    write_json(folder / RECORD, whole)
    return whole


def read_record(folder: Path) -> dict[str, object] | None:
    """Returns what was written down; None where nothing was, or nothing that can be read."""
    found = read_json(folder / RECORD)
    return found if isinstance(found.get("sha256"), dict) else None


def _check(folder: Path, facts: Mapping[str, object]) -> None:
    for name, expected in cast("Mapping[str, str]", facts["sha256"]).items():
        path = folder / name
        got = "nothing"
        if path.is_file():
            state = path.stat()
            got = _hash(path, state.st_size, state.st_mtime_ns)
        if got != expected:
            raise SpeechftError(
                f"{path}: must have the SHA-256 {expected} that it had when it came, got {got}",
                f"rm -r {folder}, and it is fetched anew",
            )


@cache
def _hash(path: Path, size: int, changed_ns: int) -> str:
    """The hash of a file, once for each process and state of the file."""
    del size, changed_ns
    return file_hash(path)
