"""The early checkpoint, a baseline of Speech-FT (Lin et al. 2026, arXiv 2502.12672): 20 % of the updates there."""

from __future__ import annotations

from speechft_cli.training.strategies.base import Strategy, StrategySettings, attach_whole


def make(settings: StrategySettings) -> Strategy:
    """Goes by the schedule of the whole run, ends early, and keeps the checkpoint it ends with."""
    return Strategy(
        "early",
        attach_whole,
        note=f"ends after {settings.early_share:.0%} of the updates and keeps that checkpoint",
        end_share=settings.early_share,
        keeps_last=True,
    )
