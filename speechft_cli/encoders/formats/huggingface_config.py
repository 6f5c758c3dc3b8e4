"""config.json of transformers, from the configuration in an s3prl checkpoint and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import cast

from speechft_cli.encoders.base import SAMPLE_RATE, EncoderFamily
from speechft_cli.encoders.convolutions import read_layers
from speechft_cli.errors import RequestError

#: transformers' key → s3prl's, where both mean and write the same.
_SAME = {
    "hidden_size": "encoder_embed_dim",
    "num_hidden_layers": "encoder_layers",
    "num_attention_heads": "encoder_attention_heads",
    "intermediate_size": "encoder_ffn_embed_dim",
    "hidden_act": "activation_fn",
    "hidden_dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
    "feat_proj_dropout": "dropout_input",
    "conv_bias": "conv_bias",
    "do_stable_layer_norm": "layer_norm_first",
    "num_conv_pos_embeddings": "conv_pos",
    "num_conv_pos_embedding_groups": "conv_pos_groups",
    "num_buckets": "num_buckets",
    "max_bucket_distance": "max_distance",
    "num_codevectors_per_group": "latent_vars",
    "num_codevector_groups": "latent_groups",
    "codevector_dim": "latent_dim",
    "proj_codevector_dim": "final_dim",
}

#: What these networks have no other way of doing in s3prl; transformers assumes the same where a file does not say.
_FIXED: dict[str, object] = {
    "layer_norm_eps": 1e-5,
    "feat_extract_activation": "gelu",
    "feat_proj_layer_norm": True,
    "conv_pos_batch_norm": False,
    "add_adapter": False,
}

#: data2vec's stack of positional convolutions: transformers' key, and what it assumes.
_STACK = (("num_conv_pos_embeddings", 5), ("conv_pos_kernel_size", 19))


def to_config(family: EncoderFamily, container: Mapping[str, object]) -> dict[str, object]:
    """Returns config.json of the bare encoder."""
    assert family.home is not None
    # s3prl's loader fills what an old file does not say, with the numbers of a base model
    stock = cast("Mapping[str, object]", family.section(family.sizes["base"], family.configuration))
    section = {**stock, **cast("Mapping[str, object]", family.section(container, family.configuration))}
    layers = read_layers(section[family.conv_key])
    if layers[-1][0] == section["encoder_embed_dim"] and "pos_conv_depth" not in section:
        raise RequestError(
            f"{family.name}: has no projection after its CNN, as both are {layers[-1][0]} wide, and transformers can't "
            "do without",
            "--format s3prl and --format safetensors hold it",
        )
    config = {key: section[name] for key, name in _SAME.items() if name in section}
    if not config.get("codevector_dim", 1):
        config["codevector_dim"] = section.get("final_dim")  # fairseq's 0: as wide as the projection
    config |= {
        "model_type": family.home.model_type,
        "architectures": [family.home.architecture],
        "dtype": "float32",
        "conv_dim": [channels for channels, _, _ in layers],
        "conv_kernel": [kernel for _, kernel, _ in layers],
        "conv_stride": [stride for _, _, stride in layers],
        "layer_norm_eps": _FIXED["layer_norm_eps"],
        # what would make training differ from s3prl's: whole layers left out, and masked frames
        "layerdrop": 0.0,
        "apply_spec_augment": False,
    }
    if "pos_conv_depth" in section:
        depth, positions = (cast(int, section[key]) for key in ("pos_conv_depth", "conv_pos"))
        config["num_conv_pos_embeddings"] = depth
        config["conv_pos_kernel_size"] = max(3, positions // depth)
    else:
        config["feat_extract_norm"] = "layer" if section["extractor_mode"] == "layer_norm" else "group"
    return config


def preprocessor(family: EncoderFamily, container: Mapping[str, object]) -> dict[str, object]:
    """Returns preprocessor_config.json: how transformers prepares waveforms."""
    normalizes = family.normalizes(container)
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": SAMPLE_RATE,
        "padding_value": 0.0,
        "padding_side": "right",
        "do_normalize": normalizes,
        # a GroupNorm CNN was never made for masks, and transformers' own base models get none
        "return_attention_mask": to_config(family, container).get("feat_extract_norm") != "group",
    }


def to_container(
    family: EncoderFamily, config: Mapping[str, object], where: str, *, normalizes: bool | None
) -> dict[str, object]:
    """Returns the configuration of an s3prl checkpoint that describes what config.json does.

    What config.json does not say is taken from the family's own base or large configuration.

    Args:
        family: The encoder family.
        config: config.json.
        where: The file, for the message.
        normalizes: What the preprocessor's configuration says; None when there is none.

    Raises:
        RequestError: s3prl has no network for it.
    """
    problems = [
        f"{key} must be {value!r}, is {config[key]!r}"
        for key, value in _FIXED.items()
        if config.get(key, value) != value
    ]
    is_large = _has_layer_norms(family, config)
    sections = copy.deepcopy(dict(family.sizes["large" if is_large else "base"]))
    section = cast("dict[str, object]", family.section(sections, family.configuration))
    section.update({name: config[key] for key, name in _SAME.items() if key in config and name in section})
    section["extractor_mode"] = "layer_norm" if is_large else "default"
    section["layer_norm_first"] = bool(config.get("do_stable_layer_norm", False))
    section["conv_bias"] = bool(config.get("conv_bias", False))
    if "latent_dim" in section and section["latent_dim"] == section["final_dim"]:
        section["latent_dim"] = 0
    if "pos_conv_depth" in section:
        depth, kernel = (cast(int, config.get(key, fallback)) for key, fallback in _STACK)
        section |= {"pos_conv_depth": depth, "conv_pos": depth * kernel}
    try:
        axes = [cast("list[int]", config[key]) for key in ("conv_dim", "conv_kernel", "conv_stride")]
        section[family.conv_key] = str(list(zip(*axes, strict=True)))
        read_layers(section[family.conv_key])
    except (KeyError, ValueError, TypeError) as error:
        problems.append(f"conv_dim, conv_kernel and conv_stride must be lists of one length ({error})")
    if section["activation_fn"] != "gelu":
        problems.append(f"hidden_act must be 'gelu', is {section['activation_fn']!r}")
    if problems:
        raise RequestError(f"{where}: is of a kind that s3prl has no network for: {'; '.join(problems)}")
    *place, key = family.normalize
    holder = cast("dict[str, object]", family.section(sections, tuple(place)))
    holder[key] = is_large if normalizes is None else normalizes
    return sections


def _has_layer_norms(family: EncoderFamily, config: Mapping[str, object]) -> bool:
    """Whether the CNN has a LayerNorm in each layer, and not one GroupNorm."""
    is_stacked = "pos_conv_depth" in cast(
        "Mapping[str, object]", family.section(family.sizes["base"], family.configuration)
    )
    return is_stacked or config.get("feat_extract_norm", "group") == "layer"
