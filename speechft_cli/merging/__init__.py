"""Merge methods: curves through weight space. METHODS is the catalogue; a method is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.merging.base import MergeMethod

METHODS: Registry[MergeMethod] = Registry(
    "merge method",
    {
        "linear": Entry(
            "speechft_cli.merging.linear:LINEAR",
            "the straight line from the base to the tuned model, or to the mean of several",
            "Speech-FT, Lin et al. 2026, TASLP 34, arXiv 2502.12672, eq. 1",
        ),
    },
)
