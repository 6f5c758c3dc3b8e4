"""s3prl's converted checkpoint: configuration and weights in one dictionary, as s3prl's experts load it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.convolutions import read_convolutions
from speechft_cli.encoders.formats.base import OutputFormat
from speechft_cli.encoders.recognition import all_families, recognise
from speechft_cli.errors import RequestError
from speechft_cli.io.arrays import Array
from speechft_cli.io.atomic import atomic_path
from speechft_cli.io.torch_archive import save_archive


def find_family(tree: Mapping[str, object], where: str) -> EncoderFamily | None:
    """Returns the family that `tree` is a converted checkpoint of; None when it is none.

    Raises:
        RequestError: Several families come into question.
    """
    candidates = [family for family in all_families() if recognises(tree, family)]
    if not candidates:
        return None
    # HuBERT's keys are wav2vec 2.0's and one more; `model` alone is in many files
    most = max(len(family.required_keys) for family in candidates)
    candidates = [family for family in candidates if len(family.required_keys) == most]
    first = candidates[0]
    weights = tree[first.weights_key]
    name = first.section(tree, (*first.configuration, "_name"))
    return recognise(
        map(str, weights) if isinstance(weights, dict) else (), where, candidates=candidates, config_name=name
    )


def recognises(tree: Mapping[str, object], family: EncoderFamily) -> bool:
    """Whether `tree` has what a converted checkpoint of `family` has."""
    if not all(key in tree for key in family.required_keys):
        return False
    weights = tree[family.weights_key]
    # `model` alone is in many files, so a family without configuration is known by its weights
    return bool(family.configuration) or (isinstance(weights, dict) and "post_extract_proj.weight" in weights)


def read(tree: Mapping[str, object], family: EncoderFamily, path: Path | None) -> EncoderCheckpoint:
    """Takes a converted checkpoint apart.

    Raises:
        RequestError: Its architecture string is more than numbers, or its weights are no weights.
    """
    where = f"{path}: {family.weights_key}"
    container = {name: tree[name] for name in family.required_keys if name != family.weights_key}
    weights = tree[family.weights_key]
    if family.inner_key and isinstance(weights, dict):
        if weights.get(family.inner_key):
            container[family.inner_key] = weights[family.inner_key]
        weights = {name: tensor for name, tensor in weights.items() if name != family.inner_key}
    check_convolutions(container, family, path)
    return EncoderCheckpoint(family, Tensors(as_weights(weights, where)), container, path, "s3prl")


def check_convolutions(container: Mapping[str, object], family: EncoderFamily, path: Path | None) -> None:
    """Makes sure that the architecture string, which s3prl evaluates, is the family's and nothing else.

    Raises:
        RequestError: It isn't.
    """
    if not family.conv_key:
        return
    key = ".".join((*family.configuration, family.conv_key))
    try:
        convolutions = read_convolutions(family.section(container, (*family.configuration, family.conv_key)))
    except ValueError as error:
        raise RequestError(f"{path}: {key} {error}; s3prl would execute it") from None
    if convolutions != family.convolutions:
        raise RequestError(
            f"{path}: {key} must have the (kernel, stride) pairs {family.convolutions} of {family.name}, got "
            f"{convolutions}; frames of another length are not supported"
        )


def as_weights(value: object, where: str) -> dict[str, Array]:
    """Returns `value` as what it must be: names and arrays.

    Raises:
        RequestError: It is something else.
    """
    if not isinstance(value, dict) or not value or not all(isinstance(each, np.ndarray) for each in value.values()):
        raise RequestError(f"{where}: must hold names and tensors, got {type(value).__name__}")
    return cast("dict[str, Array]", value)


def write(checkpoint: EncoderCheckpoint, path: Path) -> None:
    """Writes the checkpoint whole or not at all.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        SpeechftError: The file can't be written.
    """
    with atomic_path(path) as unfinished:
        save(checkpoint, unfinished)


def save(checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None) -> dict[Path, str]:
    """Writes the checkpoint to a path that nobody reads yet.

    Args:
        checkpoint: What to write.
        path: The file.
        metadata: Has no place in this format, whose readers know their keys.

    Returns:
        The file → its SHA-256 as hex.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        OSError: The file can't be written.
    """
    del metadata
    return {path: save_archive(checkpoint.tree(), path)}


S3PRL = OutputFormat(".pt", save)
