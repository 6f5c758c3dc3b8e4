"""SPIN's Lightning checkpoint: the encoder lies under `state_dict`, each name prefixed by `encoder.model.`.

Source: Chang et al. 2023, "SPIN", arXiv 2305.11072; github.com/vectominist/spin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats.converted import as_weights
from speechft_cli.encoders.recognition import recognise

_PREFIX = "encoder.model."


def recognises(tree: Mapping[str, object]) -> bool:
    """Whether `tree` is a Lightning checkpoint with an encoder in it."""
    weights = tree.get("state_dict")
    return isinstance(weights, dict) and any(str(name).startswith(_PREFIX) for name in weights)


def read(tree: Mapping[str, object], family: EncoderFamily | None, path: Path) -> EncoderCheckpoint:
    """Takes the encoder out of a Lightning checkpoint; it brings no configuration.

    Raises:
        RequestError: It holds no weights, or those of no family or of several.
    """
    everything = as_weights(tree["state_dict"], f"{path}: state_dict")
    weights = {name.removeprefix(_PREFIX): each for name, each in everything.items() if name.startswith(_PREFIX)}
    return EncoderCheckpoint(
        family or recognise(weights, str(path)), Tensors(weights), {}, path, "Lightning checkpoint"
    )
