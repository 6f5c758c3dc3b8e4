"""Files that were fetched once and are used again: where they lie, and whether they are still what came."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import write_json
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.records import now, read_json

#: In a folder of fetched files: where they come from and what they were.
RECORD = "fetched.json"


def cache_folder() -> Path:
    """Returns where fetched files lie: $SPEECHFT_CACHE, else speechft in $XDG_CACHE_HOME, else ~/.cache/speechft."""
    own = os.environ.get("SPEECHFT_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechft"


@contextlib.contextmanager
def fetching(folder: Path) -> Iterator[None]:
    """Makes a folder and lets one process at a time fetch into it; others wait for their turn.

    Raises:
        SpeechftError: It can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise SpeechftError(
            f"{folder}: must be a folder that can be written to: {error.strerror}", "SPEECHFT_CACHE names another"
        ) from error
    with file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def record(folder: Path, facts: Mapping[str, object], files: Sequence[Path]) -> None:
    """Writes down what lies in a folder and where it comes from."""
    hashes = {str(file.relative_to(folder)): file_hash(file) for file in files}
    write_json(folder / RECORD, {**facts, "fetched": now(), "sha256": hashes})


def read_record(folder: Path) -> dict[str, object] | None:
    """Returns what was written down; None where nothing was, or nothing that can be read."""
    found = read_json(folder / RECORD)
    return found if isinstance(found.get("sha256"), dict) else None


def check(folder: Path, facts: Mapping[str, object]) -> None:
    """Makes sure that a folder's files are what was recorded.

    Raises:
        SpeechftError: One is another one, or is gone.
    """
    for name, expected in cast("Mapping[str, str]", facts["sha256"]).items():
        path = folder / name
        got = _hash(path, *_stamp(path)) if path.is_file() else "nothing"
        if got != expected:
            raise SpeechftError(
                f"{path}: must have the SHA-256 {expected} that it had when it came, got {got}",
                f"rm -r {folder}, and it is fetched anew",
            )


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


@cache
def _hash(path: Path, size: int, changed_ns: int) -> str:
    """The hash of a file, once for each process and state of the file."""
    del size, changed_ns
    return file_hash(path)
