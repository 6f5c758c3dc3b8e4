"""The SUPERB score and its constants. CONSTANTS is the catalogue; a set is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.reporting.superb.score import Constants

CONSTANTS: Registry[Constants] = Registry(
    "score",
    {
        "superb_leaderboard": Entry(
            "speechft_cli.reporting.superb.leaderboard:LEADERBOARD",
            "SUPERB score with the leaderboard's own reference points; ten tasks",
            "superbbenchmark.org; Yang et al. 2021, arXiv 2105.01051",
        ),
        "speechft_fitted": Entry(
            "speechft_cli.reporting.superb.fitted:FITTED",
            "SUPERB score with points fitted to Speech-FT's printed scores; pr, sid, er and sf",
            "fitted: Speech-FT, arXiv 2502.12672, does not print its constants",
        ),
    },
)
