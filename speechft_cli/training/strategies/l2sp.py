"""L2-SP, Li et al. 2018, arXiv 1802.01483, equation 2: λ/2 · ‖θ − θ0‖² is added to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.training.strategies.base import Attached, Strategy, StrategySettings


def make(settings: StrategySettings) -> Strategy:
    """Stable fine-tuning with a pull toward the base on every encoder weight that trains."""
    return Strategy(
        "l2sp", partial(_attach, weight=settings.l2sp_weight), note=f"pull toward the base: λ {settings.l2sp_weight:g}"
    )


def _attach(encoder: Encoder, names: Sequence[str], base: Mapping[str, Tensor], *, weight: float) -> Attached:
    parameters = dict(encoder.model.named_parameters())
    # copies: what the base holds may be a mapped file, or the very tensors that train
    anchors = [(parameters[name], base[name].to(parameters[name].device, copy=True)) for name in names]

    @torch.no_grad()
    def pull() -> None:
        for parameter, anchor in anchors:
            if parameter.grad is not None:  # none while the encoder is frozen
                parameter.grad.add_(parameter - anchor, alpha=weight)

    held = sum(anchor.nbytes for _, anchor in anchors)
    return Attached(tuple(names), encoder.weights, add_gradients=pull, held_bytes=held)
