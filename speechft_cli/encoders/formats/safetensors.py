"""Our safetensors file: weights by s3prl's names; family, configuration and lineage in the file's metadata.

Reading one executes nothing, whoever made it.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
from safetensors import SafetensorError, safe_open

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats.base import OutputFormat
from speechft_cli.encoders.formats.converted import check_convolutions
from speechft_cli.encoders.formats.huggingface_names import require_ours
from speechft_cli.encoders.recognition import recognise
from speechft_cli.errors import RequestError
from speechft_cli.io.arrays import DTYPES, Array, array_bytes, dtype_name
from speechft_cli.io.disk_file import DiskFile

#: Metadata keys: the family's name, and the rest of an s3prl checkpoint as JSON.
FAMILY, CONTAINER = "family", "container"
#: What safetensors calls the dtypes.
_NAMES = {
    name: {"bool": "BOOL", "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}.get(
        name, f"{name[0].upper()}{dtype.itemsize * 8}"
    )
    for name, dtype in DTYPES.items()
}
_DTYPES = {theirs: DTYPES[name] for name, theirs in _NAMES.items()}
#: The header's length is a multiple of this [bytes].
_ALIGNMENT = 8


def save(checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None) -> dict[Path, str]:
    """Writes the checkpoint to a path that nobody reads yet.

    Args:
        checkpoint: What to write.
        path: The file.
        metadata: More of it, for example a merge's lineage.

    Returns:
        The file → its SHA-256 as hex.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        OSError: The file can't be written.
    """
    return {path: write_tensors(checkpoint.arrays, path, {**(metadata or {}), **notes(checkpoint)})}


def notes(checkpoint: EncoderCheckpoint) -> dict[str, str]:
    """Returns what a complete checkpoint has besides its weights, as metadata.

    Raises:
        RequestError: The checkpoint has no configuration.
    """
    checkpoint.require_complete()
    rest = {key: value for key, value in checkpoint.container.items() if key != checkpoint.family.inner_key}
    text = json.dumps(rest, ensure_ascii=False, default=str)
    return {"format": "pt", FAMILY: checkpoint.family.name, CONTAINER: text}


def write_tensors(arrays: Mapping[str, Array], path: Path, metadata: Mapping[str, str]) -> str:
    """Writes a safetensors file.

    Returns:
        Its SHA-256 as hex.

    Raises:
        OSError: It can't be written.
    """
    described, ends = {}, 0
    # the largest numbers first, so that each begins at a multiple of its size, and then by name: as safetensors does
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    for name in order:
        array, begins = arrays[name], ends
        ends += array.nbytes
        dtype = _NAMES[dtype_name(array)]
        described[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begins, ends]}
    header = json.dumps({"__metadata__": dict(metadata), **described}, ensure_ascii=False).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    with DiskFile(path) as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name in order:
            file.write(array_bytes(arrays[name]))
        return file.finish()


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
        require_ours(weights, str(path))
        found = family or recognise(weights, str(path))
    return EncoderCheckpoint(found, Tensors(weights), container, path, "safetensors")


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


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Reads the arrays, mapped from the file and not copied, and the metadata of a safetensors file.

    Raises:
        RequestError: It is damaged or no such file.
    """
    try:
        with safe_open(path, framework="np"):  # refuses whatever is not as the format has it
            pass
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (SafetensorError, OSError, ValueError) as error:
        raise RequestError(
            f"{path}: must be a whole safetensors file, can't be read: {error}", "copy or download it again"
        ) from error
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, facts in header.items():
        if facts["dtype"] not in _DTYPES:
            raise RequestError(f"{path}: {name}: must have a dtype of torch's, has {facts['dtype']}")
        arrays[name] = np.ndarray(facts["shape"], _DTYPES[facts["dtype"]], content, 8 + size + facts["data_offsets"][0])
    return arrays, metadata


SAFETENSORS = OutputFormat(".safetensors", save)
