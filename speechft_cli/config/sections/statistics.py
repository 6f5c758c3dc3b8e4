"""The `merge.statistics` section."""

from __future__ import annotations

from typing import Literal

from speechft_cli.config.sections.base import PositiveInt, Section


class StatisticsSection(Section):
    """What the methods `fisher` and `regmean` measure of each tuned model, on the manifests of `merge.data`."""

    split: Literal["train", "dev", "test"] = "train"
    """Split of the manifests."""
    utterances: PositiveInt = 1000
    """So many utterances, drawn by the experiment's seed, or all when there are fewer."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
