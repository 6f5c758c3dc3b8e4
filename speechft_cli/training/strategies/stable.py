"""Stable fine-tuning, the first stage of Speech-FT (Lin et al. 2026, arXiv 2502.12672)."""

from __future__ import annotations

from speechft_cli.training.strategies.base import Strategy, StrategySettings, attach_whole


def make(settings: StrategySettings) -> Strategy:
    """The head trains alone first, then everything but the CNN."""
    del settings
    return Strategy("stable", attach_whole)
