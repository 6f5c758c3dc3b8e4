"""Our safetensors file: weights by s3prl's names; family, configuration and lineage in the file's metadata.

Reading one executes nothing, whoever made it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats.base import OutputFormat
from speechft_cli.encoders.formats.converted import check_convolutions
from speechft_cli.encoders.recognition import recognise
from speechft_cli.errors import RequestError

#: Metadata keys: the family's name, and the rest of an s3prl checkpoint as JSON.
FAMILY, CONTAINER = "family", "container"


def save(checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes the checkpoint to a path that nobody reads yet.

    Args:
        checkpoint: What to write.
        path: The file.
        metadata: More of it, for example a merge's lineage.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        OSError: The file can't be written.
    """
    write_tensors(checkpoint.weights, path, {**(metadata or {}), **notes(checkpoint)})


def notes(checkpoint: EncoderCheckpoint) -> dict[str, str]:
    """Returns what a complete checkpoint has besides its weights, as metadata.

    Raises:
        RequestError: The checkpoint has no configuration.
    """
    checkpoint.require_complete()
    rest = {key: value for key, value in checkpoint.container.items() if key != checkpoint.family.inner_key}
    text = json.dumps(rest, ensure_ascii=False, default=str)
    return {"format": "pt", FAMILY: checkpoint.family.name, CONTAINER: text}


def write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file.

    Raises:
        OSError: It can't be written.
    """
    own = _unshared({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    try:
        save_file(own, path, metadata=dict(metadata))
    except SafetensorError as error:  # how it reports a full disk
        raise OSError(str(error)) from error


def read(path: Path, family: EncoderFamily | None) -> EncoderCheckpoint:
    """Reads a safetensors file of ours, or one of anybody's with s3prl's names in it.

    Args:
        path: The file.
        family: What it must be; told by the file when not said.

    Raises:
        RequestError: It can't be read, or holds no encoder of the family.
    """
    weights, metadata = read_tensors(path)
    container: dict[str, object] = {}
    named = metadata.get(FAMILY)
    if named in ENCODERS:
        found = ENCODERS.get(cast(str, named))
        container = container_of(metadata, path)
        if all(key in container for key in found.required_keys if key != found.weights_key):
            check_convolutions(container, found, path)
    else:
        found = family or recognise(weights, str(path))
    return EncoderCheckpoint(found, weights, container, path, "safetensors")


def container_of(metadata: Mapping[str, str], path: Path) -> dict[str, object]:
    """Returns the configuration that `notes` put into a file's metadata.

    Raises:
        RequestError: It is damaged.
    """
    try:
        container = json.loads(metadata.get(CONTAINER, "{}"))
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}: must have JSON under {CONTAINER!r} in its metadata, has {error}") from error
    if not isinstance(container, dict):
        raise RequestError(f"{path}: must have an object under {CONTAINER!r} in its metadata, has {container!r:.50}")
    return container


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads the tensors, mapped from the file and not copied, and the metadata of a safetensors file.

    Raises:
        RequestError: It is damaged or no such file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RequestError(
            f"{path}: must be a whole safetensors file, can't be read: {error}", "copy or download it again"
        ) from error


def _unshared(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies what shares its memory with another tensor, which safetensors refuses."""
    seen: set[int] = set()
    result = {}
    for name, tensor in weights.items():
        pointer = tensor.untyped_storage().data_ptr()
        result[name] = tensor.clone() if pointer in seen else tensor
        seen.add(pointer)
    return result


SAFETENSORS = OutputFormat(".safetensors", save)
