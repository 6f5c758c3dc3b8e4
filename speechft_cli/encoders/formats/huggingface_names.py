"""The names of weights in transformers, from those in s3prl.

Source: measured on transformers 5.23 and s3prl 0.4.18; both hold the same tensors under other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from speechft_cli.errors import RequestError

#: s3prl's name → that of transformers' bare encoder. `#` is a layer's number; what ends in a dot goes on alike.
_RENAMES = (
    ("mask_emb", "masked_spec_embed"),
    ("feature_extractor.conv_layers.#.0.", "feature_extractor.conv_layers.#.conv."),
    # a LayerNorm lies between two transpositions, a GroupNorm does not
    ("feature_extractor.conv_layers.#.2.1.", "feature_extractor.conv_layers.#.layer_norm."),
    ("feature_extractor.conv_layers.#.2.", "feature_extractor.conv_layers.#.layer_norm."),
    ("layer_norm.", "feature_projection.layer_norm."),
    ("post_extract_proj.", "feature_projection.projection."),
    ("encoder.pos_conv.0.weight_g", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    ("encoder.pos_conv.0.weight_v", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    ("encoder.pos_conv.0.bias", "encoder.pos_conv_embed.conv.bias"),
    ("encoder.pos_conv.#.0.", "encoder.pos_conv_embed.layers.#.conv."),
    ("encoder.layers.#.self_attn.grep_linear.", "encoder.layers.#.attention.gru_rel_pos_linear."),
    ("encoder.layers.#.self_attn.grep_a", "encoder.layers.#.attention.gru_rel_pos_const"),
    ("encoder.layers.#.self_attn.relative_attention_bias.", "encoder.layers.#.attention.rel_attn_embed."),
    ("encoder.layers.#.self_attn.", "encoder.layers.#.attention."),
    ("encoder.layers.#.self_attn_layer_norm.", "encoder.layers.#.layer_norm."),
    ("encoder.layers.#.fc1.", "encoder.layers.#.feed_forward.intermediate_dense."),
    ("encoder.layers.#.fc2.", "encoder.layers.#.feed_forward.output_dense."),
    ("encoder.layers.#.final_layer_norm.", "encoder.layers.#.final_layer_norm."),
    ("encoder.layer_norm.", "encoder.layer_norm."),
)

#: s3prl's name → that of transformers' models for pre-training, which wrap the encoder.
_HEAD_RENAMES = (
    ("quantizer.vars", "quantizer.codevectors"),
    ("quantizer.weight_proj.", "quantizer.weight_proj."),
    ("project_q.", "project_q."),
    ("final_proj.", "project_hid."),
)

#: What transformers called the parts of a weight norm before it moved to parametrizations → what it calls them now.
_OLD_WEIGHT_NORM = {
    "pos_conv_embed.conv.weight_g": "pos_conv_embed.conv.parametrizations.weight.original0",
    "pos_conv_embed.conv.weight_v": "pos_conv_embed.conv.parametrizations.weight.original1",
}


def encoder_name(name: str) -> str | None:
    """Returns what transformers' bare encoder calls the weight `name`; None when it has no place for it."""
    return _renamed(name, _RENAMES)


def head_name(name: str) -> str | None:
    """Returns what transformers' models for pre-training call the weight `name`; None when it isn't theirs either."""
    return _renamed(name, _HEAD_RENAMES)


def require_ours(names: Iterable[str], where: str) -> None:
    """Makes sure that weights without a configuration are no network of transformers, which needs its config.json.

    Raises:
        RequestError: They are.
    """
    if any("feature_projection." in name for name in names):
        raise RequestError(
            f"{where}: has weights under transformers' names, but lies beside no config.json",
            "copy config.json of the same model into the folder, and name the folder",
        )


def s3prl_names(names: Iterable[str]) -> dict[str, str]:
    """Returns transformers' name → s3prl's, for the weights of a bare encoder; leaves out what is no part of it."""
    known = list(names)
    # only with a LayerNorm in each layer of the CNN has the second one any
    norm = "2.1." if any(name.startswith("feature_extractor.conv_layers.1.layer_norm.") for name in known) else "2."
    inverse = tuple(
        (ours, theirs)
        for theirs, ours in _RENAMES
        if not ours.endswith("conv_layers.#.layer_norm.") or theirs.endswith(f"#.{norm}")
    )
    found = {name: _renamed(modern(name), inverse) for name in known}
    return {name: theirs for name, theirs in found.items() if theirs is not None}


def modern(name: str) -> str:
    """Returns a name of transformers as its present version has it."""
    for old, new in _OLD_WEIGHT_NORM.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _renamed(name: str, renames: tuple[tuple[str, str], ...]) -> str | None:
    for theirs, ours in renames:
        pattern = re.escape(theirs).replace(r"\#", r"(\d+)")
        found = re.match(pattern if theirs.endswith(".") else f"{pattern}$", name)
        if found:
            start = ours.replace("#", found[1]) if found.groups() else ours
            return start + name[found.end() :]
    return None
