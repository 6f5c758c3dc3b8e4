"""What most families share: the architecture, as fairseq's configuration has it, and where checkpoints lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from speechft_cli.encoders.base import SAMPLE_RATE

#: (kernel, stride) of the CNN that all families but DeCoAR 2.0 share: 20 ms a frame, 25 ms wide.
CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))

#: Where s3prl keeps the released checkpoints in its converted layout.
CONVERTED = "https://huggingface.co/s3prl/converted_ckpts/resolve/main/"

#: base: LayerNorm after each block, GroupNorm in the CNN. large: LayerNorm before each block and in every CNN layer.
Style = Literal["base", "large"]

Size = Literal["tiny", "small", "base", "large"]

_SIZES: dict[Size, dict[str, int]] = {
    "tiny": {"layers": 3, "width": 128, "feed_forward": 512, "heads": 4, "channels": 64, "positions": 64},
    "small": {"layers": 6, "width": 192, "feed_forward": 768, "heads": 4, "channels": 128, "positions": 64},
    "base": {"layers": 12, "width": 768, "feed_forward": 3072, "heads": 12, "channels": 512, "positions": 128},
    "large": {"layers": 24, "width": 1024, "feed_forward": 4096, "heads": 16, "channels": 512, "positions": 128},
}

#: Channels of the first CNN layers of `small`: at their rate, 3200 and 1600 frames a second, they would cost a CPU half
#: of all time if they were as wide as the others.
_NARROW = (32, 64)


def conv_spec(channels: int, *, first: Sequence[int] = ()) -> str:
    """The architecture string of the shared CNN.

    Args:
        channels: Of each layer.
        first: Of the first layers, where they have fewer.
    """
    widths = [*first, *[channels] * (len(CONVOLUTIONS) - len(first))]
    return str([(width, kernel, stride) for width, (kernel, stride) in zip(widths, CONVOLUTIONS, strict=True)])


def architecture(size: Size, style: Style | None = None) -> dict[str, object]:
    """The architecture of a size, under fairseq's names; dropouts are those of the released configurations.

    `small` is ours, made to be pre-trained from nothing on a CPU in an hour: LayerNorm before each block, which learns
    sooner, and no dropout, for which so few updates leave no need.

    Args:
        size: How many layers, how wide.
        style: Where the norms are; that of the size when not said.
    """
    numbers = _SIZES[size]
    is_large = (style or size) == "large"
    is_small = size == "small"
    dropout = 0.0 if is_large or is_small else 0.1
    return {
        "extractor_mode": "layer_norm" if is_large else "default",
        "encoder_layers": numbers["layers"],
        "encoder_embed_dim": numbers["width"],
        "encoder_ffn_embed_dim": numbers["feed_forward"],
        "encoder_attention_heads": numbers["heads"],
        "activation_fn": "gelu",
        "dropout": dropout,
        "attention_dropout": dropout,
        "activation_dropout": 0.0,
        "encoder_layerdrop": dropout / 2,
        "dropout_input": dropout,
        "dropout_features": dropout,
        "layer_norm_first": is_large or is_small,
        "conv_feature_layers": conv_spec(numbers["channels"], first=_NARROW if is_small else ()),
        "conv_bias": False,
        "feature_grad_mult": 1.0 if is_large else 0.1,
        "mask_length": 10,
        "mask_prob": 0.8,
        "mask_selection": "static",
        "mask_other": 0.0,
        "no_mask_overlap": False,
        "mask_min_space": 1,
        "mask_channel_length": 10,
        "mask_channel_prob": 0.0,
        "mask_channel_selection": "static",
        "mask_channel_other": 0.0,
        "no_mask_channel_overlap": False,
        "mask_channel_min_space": 1,
        "conv_pos": numbers["positions"],
        "conv_pos_groups": 16,
    }


def pretraining_task(name: str, *, normalize: bool) -> dict[str, object]:
    """The pre-training task's section, of which encoding reads only `normalize`."""
    return {
        "_name": name,
        "data": "",
        "sample_rate": SAMPLE_RATE,
        "normalize": normalize,
        "enable_padding": False,
        "max_sample_size": 250_000,
        "min_sample_size": 32_000,
    }
