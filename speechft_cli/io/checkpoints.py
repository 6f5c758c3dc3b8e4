"""Reading checkpoints without executing what is inside them."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from speechft_cli.errors import RequestError


def read_checkpoint(path: Path, *, trust: bool = False) -> dict[str, object]:
    """Reads a torch checkpoint onto the CPU; only tensors, plain containers and argparse's Namespace are built.

    Args:
        path: The file.
        trust: Whether the file may execute code, which it must to build anything else.

    Returns:
        Its top-level dictionary. Tensors are mapped from the file, not copied.

    Raises:
        RequestError: It can't be read, holds other types, or is no dictionary.
    """
    try:
        # s3prl's runner stores its command line as a Namespace
        with torch.serialization.safe_globals([argparse.Namespace]):
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
        raise RequestError(f"{path}: must be a torch checkpoint, can't be read: {first}") from error
    if not isinstance(tree, dict):
        raise RequestError(f"{path}: must hold a dictionary, has {type(tree).__name__}")
    return tree


def _load(path: Path, *, trust: bool) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        return torch.load(path, map_location="cpu", weights_only=not trust)  # the format of torch before 1.6


def _foreign_types(path: Path) -> list[str]:
    try:
        found = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # any failure here only means that there is nothing to add to the message
        return []
    return [name for name in found if name != "argparse.Namespace"]
