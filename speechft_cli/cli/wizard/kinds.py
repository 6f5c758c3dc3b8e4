"""The kinds of config file that `speechft init` writes."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a config file is for."""

    experiment = "experiment"
    merge = "merge"
    finetune = "finetune"
    pretrain = "pretrain"
    evaluate = "evaluate"


#: Kind → what it is for, as the wizard says it.
PURPOSES = {
    Kind.experiment: "the whole job: prepare, fine-tune, merge, evaluate",
    Kind.finetune: "fine-tune an encoder on manifests you have",
    Kind.pretrain: "pre-train an encoder further, without labels, and merge it back",
    Kind.merge: "merge checkpoints you have",
    Kind.evaluate: "score encoders you have",
}
#: Kind → answers that need no question.
FIXED: dict[Kind, dict[str, object]] = {Kind.pretrain: {"encoder.init": None, "finetune.task": "hubert"}}
