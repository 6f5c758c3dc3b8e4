"""s3prl's downstream run: the encoder lies under `Upstream`, each name prefixed by `model.`, without configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats.converted import as_weights
from speechft_cli.encoders.formats.huggingface_names import s3prl_names
from speechft_cli.encoders.recognition import recognise


def recognises(tree: Mapping[str, object]) -> bool:
    """Whether `tree` is a downstream run with an encoder in it."""
    return isinstance(tree.get("Upstream"), dict)


def read(tree: Mapping[str, object], family: EncoderFamily | None, path: Path) -> EncoderCheckpoint:
    """Takes the encoder out of a downstream run.

    Raises:
        RequestError: It holds no weights, or those of no family or of several.
    """
    upstream = as_weights(tree["Upstream"], f"{path}: Upstream")
    # only the leading prefix goes: `model.` may occur again inside a name
    weights = {name.removeprefix("model."): tensor for name, tensor in upstream.items() if name.startswith("model.")}
    if weights and all(name.startswith("model.") for name in weights):
        # DistilHuBERT's network lies one level deeper in its expert
        weights = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
    called = str(getattr(tree.get("Args"), "upstream", None) or "")
    if any(name.startswith("feature_projection.") for name in weights):
        # the upstreams hf_hubert and hf_wav2vec2 are networks of transformers
        weights = {ours: weights[theirs] for theirs, ours in s3prl_names(weights).items()}
        called = called.removeprefix("hf_")
    found = family or recognise(weights, str(path), config_name=called)
    return EncoderCheckpoint(found, Tensors(weights), {}, path, "s3prl downstream run")
