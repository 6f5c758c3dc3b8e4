"""Tiny encoders in every layout that a family is released in."""

from __future__ import annotations

import copy

import torch

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import random_checkpoint

#: base: post-LayerNorm and a GroupNorm CNN; large: pre-LayerNorm and a LayerNorm CNN; small: pre-LayerNorm, GroupNorm.
LAYOUTS = [(name, size) for name in ENCODERS for size in ("small", "base", "large") if size in ENCODERS.get(name).sizes]

_SMALL = {
    "encoder_layers": 2,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 4,
    "conv_pos_groups": 4,
    "final_dim": 16,
    "latent_vars": 8,
}
_CNN = "[(24, 10, 5)] + [(24, 3, 2)] * 4 + [(24, 2, 2)] * 2"


def tiny(name: str, size: str, *, seed: int = 0) -> EncoderCheckpoint:
    """An encoder with the layout of `size`, but hardly any weights, none of which has its trivial initial value."""
    family = ENCODERS.get(name)
    sections = copy.deepcopy(dict(family.sizes[size]))
    if family.configuration:
        section = family.section(sections, family.configuration)
        assert isinstance(section, dict)
        section.update({key: value for key, value in _SMALL.items() if key in section})
        section[family.conv_key] = _CNN
        section["conv_pos"] = 20 if "pos_conv_depth" in section else 16
    else:
        sections = dict(family.sizes["tiny"])
    small = type(family)(**{**vars(family), "sizes": {size: sections}})
    made = random_checkpoint(small, size, seed=seed)
    random = torch.Generator().manual_seed(seed)
    weights = {
        key: tensor + 0.1 * torch.randn(tensor.shape, generator=random) if tensor.dim() == 1 else tensor
        for key, tensor in made.weights.items()
    }
    return EncoderCheckpoint(family, weights, made.container)


def voice(samples: int, *, seed: int = 0) -> torch.Tensor:
    """A noisy tone that differs from seed to seed."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    return 0.3 * torch.sin(2 * torch.pi * (200 + 90 * seed) * time) + 0.05 * torch.randn(samples, generator=random)
