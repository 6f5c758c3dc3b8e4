"""Regular fine-tuning, a baseline of Speech-FT (Lin et al. 2026, arXiv 2502.12672)."""

from __future__ import annotations

from speechft_cli.training.strategies.base import Strategy, StrategySettings, attach_whole


def make(settings: StrategySettings) -> Strategy:
    """Everything but the CNN trains from the first update on."""
    del settings
    return Strategy("regular", attach_whole, has_head_phase=False)
