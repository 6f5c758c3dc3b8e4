"""The reference points of SUPERB's own leaderboard."""

from __future__ import annotations

from speechft_cli.reporting.superb.score import Constants, Reference

# The tops are the best of the 2021 paper per metric; newer encoders score above 1000 in a task. The bases of ks, ic,
# sid and er are not the FBANK row that the paper prints.
LEADERBOARD = Constants(
    "superb_leaderboard",
    {
        "pr": {"per": Reference(82.01, 3.53)},
        "asr": {"wer": Reference(23.18, 3.62)},
        "ks": {"acc": Reference(41.3826674, 96.66)},
        "qbe": {"mtwv": Reference(0.58, 7.36)},
        "sid": {"acc": Reference(20.058174, 90.3)},
        "asv": {"eer": Reference(9.56, 5.11)},
        "sd": {"der": Reference(10.05, 5.62)},
        "er": {"acc": Reference(48.23672168, 67.62)},
        "ic": {"acc": Reference(9.649354219, 98.76)},
        "sf": {"f1": Reference(69.64, 89.81), "cer": Reference(52.94, 21.76)},
    },
)
