"""Reading checkpoints without executing what is inside them, and writing them."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from speechft_cli.errors import RequestError, shortened
from speechft_cli.io.arrays import Array, to_array, to_tensor
from speechft_cli.io.inert import changed, plain
from speechft_cli.io.torch_archive import damaged, read_archive
from speechft_cli.io.torch_pickle import HARMLESS, ForeignTypesError

#: How files of recordings begin.
_RECORDINGS = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"NIST_1A")


def read_checkpoint(path: Path) -> dict[str, object]:
    """Reads a torch checkpoint onto the CPU, as `read_arrays` does, with tensors."""
    return {key: with_tensors(value) for key, value in read_arrays(path).items()}


def save_checkpoint(tree: Mapping[str, object], path: Path) -> None:
    """Writes a torch checkpoint by torch itself, into a file of Python's, which knows why a disk takes no more."""
    import torch

    with path.open("wb") as file:
        torch.save(dict(tree), file)


def read_arrays(path: Path, *, trust: bool = False) -> dict[str, object]:
    """Reads a torch checkpoint; nothing but arrays and plain data is built.

    The objects that fairseq, omegaconf, numpy and Lightning leave in checkpoints become plain data without their
    libraries; any other object is refused. torch is needed for none of it, but for files of the format of torch before
    1.6, and for those that are trusted.

    Args:
        path: The file.
        trust: Whether the file may execute code, which it must to build anything else.

    Returns:
        Its top-level dictionary. Arrays are mapped from the file, not copied: what nobody looks at, such as Adam's
        state, is never read.

    Raises:
        RequestError: It can't be read, holds other types, or is no dictionary.
    """
    try:
        is_ours = zipfile.is_zipfile(path) and not trust
        tree = read_archive(path) if is_ours else _load(path, trust=trust)
    except ForeignTypesError as error:
        raise RequestError(
            f"{path}: holds types that loading would have to execute: {', '.join(error.args)}",
            "convert it where it was made to plain dictionaries and tensors; or, if you trust whoever made it, give "
            "the same command with --trust, which merge and convert have",
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise RequestError(
            f"{path}: must be a torch checkpoint, {_look(path, error)}", "is it whole? copy or download it again"
        ) from error
    if not isinstance(tree, dict):
        kind = "Tensor" if isinstance(tree, np.ndarray) else type(tree).__name__
        raise RequestError(
            f"{path}: must hold a dictionary, has {kind}", "docs/formats.md says which checkpoints are read"
        )
    return {str(key): plain(value) for key, value in tree.items()}


def _look(path: Path, error: Exception) -> str:
    """Says what a file that is no checkpoint looks like, or why it could not be read."""
    try:
        with path.open("rb") as file:
            start = file.read(200)
    except OSError as problem:
        return f"can't be read: {problem.strerror}"
    if not start:
        return "is empty"
    if any(start.startswith(mark) for mark in _RECORDINGS):
        return "is a recording"
    with contextlib.suppress(UnicodeDecodeError):
        text = start.decode("ascii").strip()
        if text and all(each.isprintable() or each.isspace() for each in text):
            return f"is a text that begins {text.splitlines()[0][:60]!r}"
    first = (str(error).strip().splitlines() or [""])[0]
    is_torn = isinstance(error, zipfile.BadZipFile | LookupError | EOFError) or "zip archive" in first or not first
    return f"can't be read: {'it is cut short or damaged' if is_torn or 'weights_only' in first else first}"


def check_sums(path: Path, arrays: Mapping[str, Array]) -> None:
    """Makes sure that arrays read from a torch checkpoint are what was written, by the checksums in the file.

    A file of the format of torch before 1.6 has none, and neither has one that was written without them: nothing is
    said about those.

    Raises:
        RequestError: An array differs; says which.
    """
    broken = damaged(path, arrays) if zipfile.is_zipfile(path) else []
    if broken:
        raise RequestError(
            f"{path}: is damaged: not what was written are {shortened(broken, most=5)}", "copy or download it again"
        )


def with_tensors(value: object) -> object:
    """Returns what was read, with tensors of the same memory in place of arrays."""
    return changed(value, np.ndarray, to_tensor)


def _load(path: Path, *, trust: bool) -> object:
    """Reads with torch what only torch can read."""
    import torch

    allowed = [(made, name) for name, made in HARMLESS.items() if callable(made) and not name.startswith("torch.")]
    with torch.serialization.safe_globals([*allowed]):
        try:
            is_mapped = zipfile.is_zipfile(path)
            tree = torch.load(path, map_location="cpu", weights_only=not trust, mmap=is_mapped)
            return changed(tree, torch.Tensor, to_array)
        except Exception:
            foreign = [] if trust else _foreign_types(path)
            if foreign:
                raise ForeignTypesError(*foreign) from None
            raise


def _foreign_types(path: Path) -> list[str]:
    import torch

    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # any failure here only means that there is nothing to add to the message
        return []
