"""How probes are trained: PRESETS is the catalogue; a preset is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.tasks.presets.base import Preset

PRESETS: Registry[Preset] = Registry(
    "preset",
    {
        "default": Entry(
            "speechft_cli.tasks.presets.own:DEFAULT",
            "each task's own steps and learning rates, small recurrent heads",
            "this project: an afternoon on a CPU",
        ),
        "quick": Entry(
            "speechft_cli.tasks.presets.own:QUICK",
            "a subset of the data and a fifth of the steps: a first look, no result",
            "this project",
        ),
        "superb": Entry(
            "speechft_cli.tasks.presets.superb:SUPERB",
            "the benchmark's steps, batches, learning rates and heads; days on a GPU",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051, and its configs in s3prl",
        ),
    },
)
