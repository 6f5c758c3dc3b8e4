"""Reading checkpoints without executing what is inside them."""

from __future__ import annotations

import argparse
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from speechft_cli.errors import RequestError
from speechft_cli.io.inert import INERT, plain


def read_checkpoint(path: Path, *, trust: bool = False) -> dict[str, object]:
    """Reads a torch checkpoint onto the CPU; nothing but tensors and plain data is built.

    The objects that fairseq, omegaconf, numpy and Lightning leave in checkpoints become plain data without their
    libraries; any other object is refused.

    Args:
        path: The file.
        trust: Whether the file may execute code, which it must to build anything else.

    Returns:
        Its top-level dictionary. Tensors are mapped from the file, not copied: what nobody looks at, such as Adam's
        state, is never read.

    Raises:
        RequestError: It can't be read, holds other types, or is no dictionary.
    """
    try:
        tree = _load(path, trust=trust)
    except Exception as error:  # a damaged pickle can raise anything
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        foreign = _foreign_types(path)
        if foreign and not trust:
            raise RequestError(
                f"{path}: holds types that loading would have to execute: {', '.join(foreign)}",
                "convert it where it was made to plain dictionaries and tensors; or, if you trust whoever made it: "
                f"speechft convert {path} --trust --format safetensors --out DIR",
            ) from error
        if "zip archive" in first:  # torch's words for it are many
            first = "it is cut short or damaged"
        raise RequestError(
            f"{path}: must be a torch checkpoint, can't be read: {first}", "is it whole? copy or download it again"
        ) from error
    if not isinstance(tree, dict):
        raise RequestError(f"{path}: must hold a dictionary, has {type(tree).__name__}")
    return {str(key): plain(value) for key, value in tree.items()}


def check_sums(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Makes sure that tensors read from a torch checkpoint are what was written, by the checksums in the file.

    torch itself does not look at them. A file of the format of torch before 1.6 has none, and neither has one that was
    written without them: nothing is said about those.

    Raises:
        RequestError: A tensor differs; says which.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as file:
        sums = {(record.file_size, record.CRC) for record in file.infolist()}
    broken, whole = [], 0
    for name, storage in _storages(weights):
        content = torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data
        if (len(content), zlib.crc32(content)) in sums:
            whole += 1
        else:
            broken.append(name)
    if broken and whole:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise RequestError(
            f"{path}: is damaged: not what was written are {', '.join(broken[:5])}{more}", "copy or download it again"
        )


def _storages(weights: Mapping[str, Tensor]) -> Iterator[tuple[str, torch.UntypedStorage]]:
    seen = set()
    for name, tensor in weights.items():
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            yield name, storage


def _load(path: Path, *, trust: bool) -> object:
    # s3prl's runner stores its command line as a Namespace
    with torch.serialization.safe_globals([argparse.Namespace, *INERT]):
        try:
            return torch.load(path, map_location="cpu", weights_only=not trust, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=not trust)  # the format of torch before 1.6


def _foreign_types(path: Path) -> list[str]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace, *INERT]):
            return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # any failure here only means that there is nothing to add to the message
        return []
