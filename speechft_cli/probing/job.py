"""A task to probe, on one fold of the data or on several, and what its probes come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from speechft_cli.data.splits.task_splits import TaskSplits
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.probing.encoding import Batching, crop_middle, stretch_name
from speechft_cli.probing.frames import Predict
from speechft_cli.probing.sweep import Swept

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask
    from speechft_cli.tasks.base import Task


@dataclass(frozen=True)
class Reading:
    """Another way to predict from logits than the task's own.

    Attributes:
        name: All that it depends on, in one line.
        predict: As `Task.predict`.
    """

    name: str
    predict: Predict


@dataclass(frozen=True)
class ProbeJob:
    """A task and how to probe it.

    Attributes:
        task: The task.
        preset: Name of the protocol.
        reading: How test is read where not as `task` predicts, for example by beam search with an n-gram; and its name.
        folds: Name → utterances of each fold of a cross-validation; a single one without a name where there is none.
        fold_field: The field of the manifests whose values are the folds; None where there are none.
        learning_rates: To try.
        extensions: How often the range is extended where the best one lies at its edge.
        steps: Optimizer updates of each probe.
        batch_size: Utterances per update.
        evaluations: How often dev is scored.
        is_balanced: Whether updates draw every class as often as any other, and each counts as much on dev.
        crop_seconds: Longest stretch heard of each utterance [s]; None for all of it.
        seeds: Of the probes.
        batching: How utterances share a batch when they are encoded.
        precision: Of hidden states; of no concern to utterance tasks, whose vectors are always fp32.
    """

    task: AnyTask
    preset: str
    reading: Reading | None
    folds: Mapping[str, TaskSplits]
    fold_field: str | None
    learning_rates: tuple[float, ...]
    extensions: int
    steps: int
    batch_size: int
    evaluations: int
    is_balanced: bool
    crop_seconds: Seconds | None
    seeds: tuple[int, ...]
    batching: Batching
    precision: str

    def per_fold(self) -> list[ProbeJob]:
        """Returns a job per fold; this one alone where there is no cross-validation."""
        return [replace(self, folds={name: splits}) for name, splits in self.folds.items()]

    @property
    def fold(self) -> str:
        """Name of its only fold; empty without cross-validation."""
        (name,) = self.folds
        return name

    @property
    def splits(self) -> TaskSplits:
        """The utterances of its only fold."""
        (splits,) = self.folds.values()
        return splits

    @property
    def title(self) -> str:
        """The task's name, and the fold's where it has one."""
        return f"{self.task.name}, fold {self.fold}" if self.fold else self.task.name

    def heard(self, split: str) -> list[Utterance]:
        """Returns what is heard of the utterances of a split of its only fold."""
        return [crop_middle(each, self.crop_seconds) for each in self.splits.splits[split]]

    def everything(self) -> list[Utterance]:
        """Returns what is heard of all utterances, each once, whatever folds it is in."""
        stretches = [each for part in self.per_fold() for split in part.splits.splits for each in part.heard(split)]
        return list({stretch_name(each): each for each in stretches}.values())

    def targets(self, split: str) -> list[str]:
        """Returns the normalised targets of a split of its only fold; of queries what they are scored against."""
        task = self.task
        targets = [task.normalise(each or "") for each in self.splits.splits[split].targets(task.needs)]
        if not task.is_trained and split != "train":
            return task.references(targets, self.targets("train"))
        return targets

    @property
    def trained(self) -> Task:
        """The task, where probes are trained on it."""
        assert self.task.is_trained
        return self.task


@dataclass(frozen=True)
class Outcome:
    """What the probes of one encoder came to on one fold of a task.

    Attributes:
        swept: The learning rate, and the chosen probe of each seed.
        dev: Metric name → value, one per seed; one where nothing is trained.
        test: Metric name → value, one per seed; measured once, after the choice.
        predictions: What the probe of each seed predicts for each utterance of test.
    """

    swept: Swept
    dev: tuple[Mapping[str, float], ...]
    test: tuple[Mapping[str, float], ...]
    predictions: tuple[Sequence[str], ...]


def mean_over_folds(folds: Sequence[Sequence[Mapping[str, float]]], metric: str) -> tuple[float, ...]:
    """Returns a metric per seed, the mean over folds; each fold counts the same, as in SUPERB, whatever its size.

    Args:
        folds: Of each fold: metric name → value, one per seed.
        metric: The metric's name.
    """
    return tuple(sum(each[metric] for each in seed) / len(folds) for seed in zip(*folds, strict=True))
