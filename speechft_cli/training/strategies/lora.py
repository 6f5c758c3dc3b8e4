"""LoRA, Hu et al. 2022, arXiv 2106.09685: low-rank updates of the attention's projections."""

from __future__ import annotations

from functools import partial

from speechft_cli.training.strategies.adapters import attach_adapters, describe
from speechft_cli.training.strategies.base import Strategy, StrategySettings


def make(settings: StrategySettings) -> Strategy:
    """Of the encoder only the low-rank updates train."""
    return Strategy(
        "lora",
        partial(attach_adapters, settings=settings, use_dora=False),
        note=describe(settings),
        starts_from_base=True,
    )
