"""DoRA, Liu et al. 2024, arXiv 2402.09353: LoRA on the direction of each row of the weights, its length apart."""

from __future__ import annotations

from functools import partial

from speechft_cli.training.strategies.adapters import attach_adapters, describe
from speechft_cli.training.strategies.base import Strategy, StrategySettings


def make(settings: StrategySettings) -> Strategy:
    """Of the encoder only the low-rank updates and the lengths train."""
    return Strategy(
        "dora",
        partial(attach_adapters, settings=settings, use_dora=True),
        note=describe(settings),
        starts_from_base=True,
    )
