"""The kinds of config file that `speechft init` writes."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a config file is for."""

    experiment = "experiment"
    merge = "merge"
    finetune = "finetune"
    evaluate = "evaluate"


PURPOSES = {
    Kind.experiment: "the whole job: prepare, fine-tune, merge, evaluate",
    Kind.finetune: "fine-tune an encoder on manifests you have",
    Kind.merge: "merge checkpoints you have",
    Kind.evaluate: "score encoders you have",
}
"""Kind → what somebody wants who chooses it."""
