"""s3prl's downstream run: the encoder lies under `Upstream`, each name prefixed by `model.`, without configuration."""

from __future__ import annotations

from pathlib import Path

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats.converted import as_weights


def recognises(tree: dict[str, object]) -> bool:
    """Whether `tree` is a downstream run; of which family can't be told from its top level."""
    return isinstance(tree.get("Upstream"), dict)


def read(tree: dict[str, object], family: EncoderFamily, path: Path | None) -> EncoderCheckpoint:
    """Takes the encoder out of a downstream run.

    Raises:
        RequestError: It holds no weights.
    """
    upstream = as_weights(tree["Upstream"], f"{path}: Upstream")
    # only the leading prefix goes: `model.` may occur again inside a name
    weights = {name.removeprefix("model."): tensor for name, tensor in upstream.items() if name.startswith("model.")}
    return EncoderCheckpoint(family, weights, {}, path)
