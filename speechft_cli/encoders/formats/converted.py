"""s3prl's converted checkpoint: configuration and weights in one dictionary, as `load_converted_model` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.convolutions import read_convolutions
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_path


def recognises(tree: dict[str, object], family: EncoderFamily) -> bool:
    """Whether `tree` is a converted checkpoint of `family`."""
    return all(key in tree for key in family.required_keys)


def read(tree: dict[str, object], family: EncoderFamily, path: Path | None) -> EncoderCheckpoint:
    """Takes a converted checkpoint apart.

    Raises:
        RequestError: Its architecture string is more than numbers, or its weights are no weights.
    """
    section, key = family.conv_spec
    configuration = tree[section]
    spec = configuration.get(key, "") if isinstance(configuration, dict) else ""
    try:
        convolutions = read_convolutions(spec)
    except ValueError as error:
        raise RequestError(f"{path}: {section}.{key} {error}; s3prl would execute it") from None
    if convolutions != family.convolutions:
        raise RequestError(
            f"{path}: {section}.{key} must have the (kernel, stride) pairs {family.convolutions} of {family.name}, got "
            f"{convolutions}; frames of another length are not supported"
        )
    weights = as_weights(tree[family.weights_key], f"{path}: {family.weights_key}")
    container = {name: value for name, value in tree.items() if name != family.weights_key}
    return EncoderCheckpoint(family, weights, container, path)


def as_weights(value: object, where: str) -> dict[str, Tensor]:
    """Returns `value` as what it must be: names and tensors.

    Raises:
        RequestError: It is something else.
    """
    if not isinstance(value, dict) or not value or not all(isinstance(each, Tensor) for each in value.values()):
        raise RequestError(f"{where}: must hold names and tensors, got {type(value).__name__}")
    return cast("dict[str, Tensor]", value)


def write(checkpoint: EncoderCheckpoint, path: Path) -> None:
    """Writes the checkpoint whole or not at all.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        SpeechftError: The file can't be written.
    """
    with atomic_path(path) as unfinished:
        save(checkpoint, unfinished)


def save(checkpoint: EncoderCheckpoint, path: Path) -> None:
    """Writes the checkpoint to a path that nobody reads yet.

    Raises:
        RequestError: The checkpoint has no configuration to write.
        OSError: The file can't be written.
    """
    tree = assemble(checkpoint)
    try:
        torch.save(tree, path)
    except RuntimeError as error:  # how torch reports a full disk
        raise OSError(str(error)) from error


def assemble(checkpoint: EncoderCheckpoint) -> dict[str, object]:
    """Returns the dictionary that s3prl loads.

    Raises:
        RequestError: The checkpoint has no configuration.
    """
    if not checkpoint.is_complete:
        raise RequestError(
            f"{checkpoint.path}: has weights but no configuration, so it can't be built alone",
            "merge it with its base checkpoint, which brings the configuration",
        )
    weights = {name: _without_the_rest(tensor.detach().cpu()) for name, tensor in checkpoint.weights.items()}
    return {**checkpoint.container, checkpoint.family.weights_key: weights}


def _without_the_rest(tensor: Tensor) -> Tensor:
    """Copies a view of a larger tensor, which would drag the whole storage into the file."""
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor
