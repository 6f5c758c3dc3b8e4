"""The kinds of config file that `speechft init` writes."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a config file is for."""

    experiment = "experiment"
    merge = "merge"
    finetune = "finetune"
    evaluate = "evaluate"
