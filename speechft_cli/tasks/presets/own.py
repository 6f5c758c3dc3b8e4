"""This project's own presets, made from what each task says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speechft_cli.tasks.presets.base import NOTHING_TRAINED, Preset, ProbePlan

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask

#: Most utterances of train, and of dev and of test, in a quick look.
_QUICK_MOST = (500, 200)


def _default(task: AnyTask) -> ProbePlan:
    if not task.is_trained:
        return NOTHING_TRAINED
    return ProbePlan(
        steps=task.probe_steps,
        batch_size=32 if task.is_pooled else 16,
        learning_rates=task.probe_learning_rates,
        evaluations=20 if task.is_pooled else 8,
    )


def _quick(task: AnyTask) -> ProbePlan:
    plan = replace(_default(task), most=_QUICK_MOST)
    return replace(plan, steps=max(1, plan.steps // 5), evaluations=4) if plan.steps else plan


DEFAULT = Preset(
    "default",
    "Each task's own numbers of updates and learning rates. Good for comparing encoders with each other; the figures "
    "are not SUPERB's, whose probes train for 10 to 200 times as long.",
    _default,
)
QUICK = Preset(
    "quick",
    f"At most {_QUICK_MOST[0]} utterances of train, {_QUICK_MOST[1]} of dev and {_QUICK_MOST[1]} of test, and a fifth "
    "of the default's updates. To see that everything works; not to report.",
    _quick,
)
