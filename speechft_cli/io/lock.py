"""Who works in a folder: one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report

#: What the system says of a lock that somebody else holds.
_HELD = (errno.EACCES, errno.EAGAIN)


@contextlib.contextmanager
def locked(
    folder: Path, report: Report, *, leave_nothing: bool = False, other: str = "--out names another"
) -> Iterator[None]:
    """Holds the folder's lock; it goes with the process, however that ends.

    Args:
        folder: Made when it does not exist.
        report: Told where the file system has no locks, as Lustre's without `flock` and some of NFS and FUSE: then
            nothing keeps another process out.
        leave_nothing: Remove the lock's file in the end, and the folder when nothing came into it.
        other: The hint on a folder that can't be written to.

    Raises:
        RequestError: Another process holds it, or the folder can't be written to.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    with _opened(folder, other) as file:
        if not _lock(file, folder, report, is_patient=False):
            file.seek(0)
            raise RequestError(
                f"{folder}: is in use by process {file.read().strip() or 'unknown'}",
                "wait for it to end, or choose another output folder",
            )
        if not _is_at(folder / ".lock", file):
            raise RequestError(f"{folder}: was in use until just now", "try again")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            if leave_nothing or (made and [each.name for each in folder.glob("*")] == [".lock"]):
                (folder / ".lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    for each in made or [folder]:  # those that hold something stay
                        each.rmdir()


@contextlib.contextmanager
def in_turn(folder: Path, report: Report, *, other: str) -> Iterator[None]:
    """Waits for the folder's lock and holds it; its file stays.

    Args:
        folder: Made when it does not exist.
        report: Told where the file system has no locks.
        other: The hint on a folder that can't be written to.

    Raises:
        RequestError: The folder can't be written to.
    """
    with _opened(folder, other) as file:
        _lock(file, folder, report, is_patient=True)
        yield


def _opened(folder: Path, other: str) -> TextIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / ".lock").open("a+")
    except OSError as error:
        raise RequestError(
            f"{folder}: must be a folder that can be written to: {_reason(folder, error)}", other
        ) from error


def _lock(file: TextIO, folder: Path, report: Report, *, is_patient: bool) -> bool:
    """Takes the lock, where there are any; returns False when somebody else holds it and nobody wants to wait."""
    try:
        # not flock: processes that read audio would inherit it and outlive a killed parent by seconds
        fcntl.lockf(file, fcntl.LOCK_EX if is_patient else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            return False
        text = f"{folder}: can't be locked ({error.strerror}); make sure that nothing else writes there"
        report(Note(text, important=True))
    return True


def _reason(folder: Path, error: OSError) -> str:
    in_the_way = next((each for each in (folder, *folder.parents) if each.is_file()), None)
    return str(error.strerror) if in_the_way is None else f"{in_the_way} is a file"


def _is_at(path: Path, file: TextIO) -> bool:
    """Whether an open file is still the one at `path`: the process that held the lock before may have removed it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
