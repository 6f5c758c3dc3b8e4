"""What a preset is: per task, how a probe is trained. Plain data; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask


@dataclass(frozen=True)
class ProbePlan:
    """How the probes of one task are trained.

    Attributes:
        steps: Optimizer updates; 0 where nothing is trained, and then there are no learning rates either.
        batch_size: Utterances per update.
        learning_rates: To try; the best on dev is taken.
        evaluations: How often dev is scored, evenly spread over the updates.
        has_large_head: Whether a probe has SUPERB's recurrent head instead of the task's own smaller one.
        is_balanced: Whether an update draws each class as often as any other, and each counts as much on dev; for
            utterance tasks only. Test is scored as it is.
        folds: The field of the manifests whose values are the folds of a cross-validation; empty for one split.
        most: Most utterances of train, and of dev and of test; None for all.
        data: What the published figures are made from, in words.
    """

    steps: int
    batch_size: int
    learning_rates: tuple[float, ...]
    evaluations: int
    has_large_head: bool = False
    is_balanced: bool = False
    folds: str = ""
    most: tuple[int, int] | None = None
    data: str = ""

    def text(self) -> str:
        """Returns the plan as one line."""
        trained = [
            f"{self.steps} updates of {self.batch_size} utterances",
            f"learning rates {', '.join(f'{rate:g}' for rate in self.learning_rates)}",
            f"dev scored {self.evaluations} times",
            *(["SUPERB's large head"] if self.has_large_head else []),
            *(["classes drawn evenly, and weighed evenly on dev"] if self.is_balanced else []),
        ]
        parts = [
            *(trained if self.steps else ["nothing is trained, dev chooses a layer"]),
            *([f"mean over folds by {self.folds}, each tested on once"] if self.folds else []),
            *([f"at most {self.most[0]} utterances of train, {self.most[1]} of dev and of test"] if self.most else []),
            *([f"data: {self.data}"] if self.data else []),
        ]
        return "; ".join(parts)

    def task(self, task: AnyTask) -> AnyTask:
        """Returns the task with the plan's head for its probe."""
        if not self.has_large_head:
            return task
        from speechft_cli.tasks.heads import large_recurrent_head
        from speechft_cli.tasks.transcription import Transcription

        assert isinstance(task, Transcription)  # heads of other tasks are SUPERB's already
        return replace(task, make_probe=large_recurrent_head)


#: The plan of a task without a head.
NOTHING_TRAINED = ProbePlan(steps=0, batch_size=0, learning_rates=(), evaluations=0)


@dataclass(frozen=True)
class Preset:
    """A named way to probe.

    Attributes:
        name: Its name in the catalogue.
        text: What it is, and what figures made with it can't be compared with.
        plan: Task → plan.
        tasks: The tasks it has a plan for; none means all.
    """

    name: str
    text: str
    plan: Callable[[AnyTask], ProbePlan]
    tasks: tuple[str, ...] = ()
