"""Reference points that give Speech-FT's printed scores."""

from __future__ import annotations

from speechft_cli.reporting.superb.score import Constants, Reference

# The paper's scores can't be had from the leaderboard's points, and it does not print its own. The bases are the
# FBANK row of SUPERB's paper. The tops are fitted: with them all six scores that are printed with their metrics come
# out to two decimals. Its scores over all ten tasks leave the other tops open, so there are none here.
FITTED = Constants(
    "speechft_fitted",
    {
        "pr": {"per": Reference(82.01, 2.3234)},
        "sid": {"acc": Reference(8.5e-4, 95.25)},
        "er": {"acc": Reference(35.39, 70.65)},
        "sf": {"f1": Reference(69.64, 92.25), "cer": Reference(52.94, 17.61)},
    },
)
