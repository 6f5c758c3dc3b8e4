"""Writing a file or folder whole or not at all: a reader never sees half of one."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from speechft_cli.errors import SpeechftError

#: Name of the folder inside another that its next files are written into.
UNFINISHED = ".unfinished"
#: Ends the name that a folder has while another takes its place.
_OLD = ".old"
#: What a disk says that has no room left, or none for this user.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Less than this is no room [bytes].
_BLOCK = 4096


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a path to write to, in the folder of `path` and with its suffixes; renames it to `path` in the end.

    When the block raises, the unfinished file is removed and what was at `path` before stays.

    Raises:
        SpeechftError: The disk is full or the folder can't be written to.
    """
    folder = _folder_beside(path)
    unfinished = folder / path.name
    try:
        with disk_errors(folder):
            yield unfinished
        # what the user gives to new files: safetensors keeps what it writes for its owner alone
        with contextlib.suppress(OSError):  # not every file system has rights
            unfinished.chmod(folder.stat().st_mode & 0o666)
        _sync(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives an empty folder beside `path` to write into; it replaces `path` in the end, or vanishes on an error.

    Raises:
        SpeechftError: The disk is full or the folder can't be written to.
    """
    recover(path)
    unfinished = _folder_beside(path)
    try:
        with disk_errors(unfinished):
            yield unfinished
        put_in_place(unfinished, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        recover(path)
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def atomic_files(folder: Path, *, first: str) -> Iterator[Path]:
    """Gives an empty folder inside `folder` to write into; in the end what it holds takes its place in `folder`.

    Each file or folder replaces what has its name, whole; all else stays. When the block raises, nothing has changed.

    Args:
        folder: Where to; it is there, and nobody else may be writing there.
        first: What is moved before the rest.

    Raises:
        SpeechftError: The disk is full or the folder can't be written to.
    """
    unfinished = folder / UNFINISHED
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # what a kill left
        unfinished.mkdir()
        with disk_errors(folder):
            yield unfinished
        _sync_all(unfinished)
        for path in sorted(unfinished.iterdir(), key=lambda path: path.name != first):
            place = folder / path.name
            recover(place)
            if place.is_dir():
                put_in_place(path, place)
            else:
                path.replace(place)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turns what libraries raise when the disk of `folder` is full, each in its own way, into a plain OSError.

    A signal that stopped one of them is raised again where torch, closing what was half written, hid it.
    """
    try:
        yield
    except Exception as error:  # torch, libsndfile, numpy, safetensors
        if error.__context__ is not None and not isinstance(error.__context__, Exception):
            raise error.__context__ from None
        if isinstance(error, SpeechftError) or (isinstance(error, OSError) and error.errno):
            raise
        number = _number(error, folder)
        if number is None:
            raise
        raise OSError(number, os.strerror(number)) from error


def _number(error: Exception, folder: Path) -> int | None:
    """Returns the system's number of what kept a library from writing into a folder; None for any other trouble."""
    if said := re.search(r"\(os error (\d+)\)", str(error)):
        return int(said[1])  # safetensors, which removes its half of a file
    if isinstance(error.__context__, OSError) and error.__context__.errno in FULL:
        return error.__context__.errno  # torch, which was writing into a file of Python's
    return errno.ENOSPC if shutil.disk_usage(folder).free < _BLOCK else None


def put_in_place(finished: Path, path: Path) -> None:
    """Lets a finished folder on the same disk replace `path`; after a kill in the middle `recover` ends the work."""
    _sync_all(finished)
    old = path.with_name(f".{path.name}.{finished.name}{_OLD}")
    if path.exists():
        path.rename(old)
    finished.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def recover(path: Path) -> None:
    """Cleans up after a kill in the middle of `put_in_place`: where there is no new folder, the old one comes back."""
    for old in sorted(path.parent.glob(f".{glob.escape(path.name)}.*{_OLD}")):
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(path)


def remove_unfinished(path: Path) -> None:
    """Cleans up after kills in the middle of writing `path`, as `recover` does and more: nobody else may be writing."""
    recover(path)
    for unfinished in path.parent.glob(f".{glob.escape(path.name)}.*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Writes `value` as indented JSON, whole or not at all; paths and decimals become strings."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def _folder_beside(path: Path) -> Path:
    """Makes an empty hidden folder on the same disk as `path`, so that a rename is all that is left to do."""
    try:
        # not mkdtemp: what becomes a folder of the user's has the rights that the user gives to folders
        folder = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        folder.mkdir(parents=True)
        return folder
    except OSError as error:
        raise cannot_write(path, error) from error


def _sync_all(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            _sync(file)


def _sync(path: Path) -> None:
    """Waits until the content is on the disk: a rename must not become durable before it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def cannot_write(path: Path, error: OSError) -> SpeechftError:
    """Says that `path` can't be written, and why."""
    hint = "ulimit -n shows and raises the limit" if error.errno == errno.EMFILE else "check disk space and permissions"
    return SpeechftError(f"{path}: can't be written: {error.strerror or error}", hint)
