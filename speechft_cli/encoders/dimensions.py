"""The size of an encoder, read off the shapes of its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from speechft_cli.errors import RequestError

_LAYER = re.compile(r"^encoder\.layers\.(\d+)\.")
#: Features of one attention head in every released encoder: the number of heads leaves no trace in the weights.
_HEAD_WIDTH = 64


class Shaped(Protocol):
    """An array, be it torch's or numpy's."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its length along each axis."""


def read_dimensions(weights: Mapping[str, Shaped]) -> dict[str, int]:
    """Returns layers, widths and the positional convolution's size under fairseq's names.

    Raises:
        RequestError: The weights are those of no Transformer encoder.
    """
    try:
        feed_forward, width = weights["encoder.layers.0.fc1.weight"].shape
        channels, in_group, positions = weights["encoder.pos_conv.0.weight_v"].shape
        return {
            "encoder_layers": 1 + max(int(found[1]) for name in weights if (found := _LAYER.match(name))),
            "encoder_embed_dim": width,
            "encoder_ffn_embed_dim": feed_forward,
            "encoder_attention_heads": max(1, width // _HEAD_WIDTH),
            "conv_pos": positions,
            "conv_pos_groups": channels // in_group,
        }
    except (KeyError, ValueError) as error:
        raise RequestError(f"weights: must be those of a Transformer encoder, lack {error}") from error
