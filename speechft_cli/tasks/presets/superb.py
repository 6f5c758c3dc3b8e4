"""SUPERB's protocol, task by task: Yang et al. 2021, arXiv 2105.01051, with the numbers of its published configs.

The benchmark tunes one thing, the learning rate, over powers of ten; the one its config has is first in each comment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speechft_cli.errors import RequestError
from speechft_cli.tasks.presets.base import NOTHING_TRAINED, Preset, ProbePlan

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask

_WIDE = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
_NARROW = (1e-3, 1e-4, 1e-5)

PLANS = {
    "pr": ProbePlan(
        steps=100_000,  # 1e-2; 16 utterances, gradients of 2 batches added
        batch_size=32,
        learning_rates=(1e-1, 1e-2, 1e-3),
        evaluations=100,
        data="LibriSpeech train-clean-100, dev-clean, test-clean; 71 phonemes with stress, first pronunciation",
    ),
    "asr": ProbePlan(
        steps=200_000,  # 1e-4; 32 utterances, which its code always halves
        batch_size=16,
        learning_rates=_NARROW,
        evaluations=100,
        has_large_head=True,
        data="LibriSpeech train-clean-100, dev-clean, test-clean; no language model",
    ),
    "ks": ProbePlan(
        steps=200_000,  # 1e-4
        batch_size=32,
        learning_rates=_WIDE,
        evaluations=40,
        is_balanced=True,  # drawn with replacement; its dev is drawn so too, anew each time
        data="Speech Commands 0.01, its test set; ten words, unknown, silence",
    ),
    "ic": ProbePlan(
        steps=200_000,  # 1e-4
        batch_size=32,
        learning_rates=_WIDE,
        evaluations=40,
        data="Fluent Speech Commands, its splits",
    ),
    "sid": ProbePlan(
        steps=200_000,  # 1e-4, 1e-1 when tuned; 8 utterances, gradients of 4 batches added
        batch_size=32,
        learning_rates=_WIDE,
        evaluations=40,
        data="VoxCeleb1, identification split, 1251 speakers; random 8 s of longer training utterances",
    ),
    "er": ProbePlan(
        steps=30_000,  # 1e-4; 4 utterances, gradients of 8 batches added
        batch_size=32,
        learning_rates=_WIDE,
        evaluations=30,
        folds="session",  # 80/20 train and dev, drawn over the four others
        data="IEMOCAP, five sessions; neutral, happy with excited, angry, sad",
    ),
    "sf": ProbePlan(
        steps=200_000,  # 1e-4
        batch_size=32,
        learning_rates=_NARROW,
        evaluations=100,
        has_large_head=True,
        data="Audio SNIPS, 8 speakers to train on, 4 for dev, 4 for test",
    ),
    "sd": ProbePlan(
        steps=30_000,  # 1e-4; 8 stretches of 2000 frames, gradients of 4 batches added
        batch_size=32,
        learning_rates=_NARROW,
        evaluations=60,
        data="Libri2Mix, 16 kHz, max; two speakers",
    ),
    "qbe": replace(NOTHING_TRAINED, data="QUESST 2014, English; all documents for the queries of dev and of test"),
    "asv": ProbePlan(
        steps=200_000,  # 1e-4; 10 utterances, gradients of 5 batches added
        batch_size=50,
        learning_rates=_NARROW,
        evaluations=20,
        data="VoxCeleb1 verification split, utterances of 2 s and more, random 8 s; Vox1-O trials, cleaned",
    ),
}


def _plan(task: AnyTask) -> ProbePlan:
    if task.name not in PLANS:
        raise RequestError(
            f"preset superb: must be for one of SUPERB's tasks {', '.join(PLANS)}, got {task.name}",
            "the preset default has a plan for every task",
        )
    return PLANS[task.name]


SUPERB = Preset(
    "superb",
    "SUPERB's updates, batches and heads. What stays ours: Adam for every task, gradients clipped to 1, each utterance "
    "encoded whole and alone, the probe chosen on dev, the mean of several seeds. The data is what you prepare: only "
    "with the corpora named here are figures comparable with published ones.",
    _plan,
    tuple(PLANS),
)
