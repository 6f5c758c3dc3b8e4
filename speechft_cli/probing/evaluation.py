"""A task probed on frozen encoders: probes trained, one learning rate chosen per encoder, test scored once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speechft_cli.data.task_splits import TaskSplits
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.events import Advanced, Finished, Report, Started
from speechft_cli.probing.encoding import Batching, crop_middle
from speechft_cli.probing.features import Features
from speechft_cli.probing.frames import FrameExamples, Predict, predict_frames, train_frame_probes
from speechft_cli.probing.pooled import PooledExamples, predict_pooled, train_pooled_probes
from speechft_cli.probing.probe import Trained
from speechft_cli.probing.sweep import Swept, Train, sweep_learning_rates
from speechft_cli.tasks.base import Task
from speechft_cli.tasks.qbe import QueryByExample


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
        splits: Its utterances.
        manifest_hash: Hash of the manifest folder.
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

    task: Task | QueryByExample
    preset: str
    reading: Reading | None
    splits: TaskSplits
    manifest_hash: str
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

    def heard(self, split: str) -> list[Utterance]:
        """Returns what is heard of the utterances of a split."""
        return [crop_middle(each, self.crop_seconds) for each in self.splits.splits[split]]

    def everything(self) -> list[Utterance]:
        """Returns what is heard of all utterances."""
        return [each for split in self.splits.splits for each in self.heard(split)]

    def targets(self, split: str) -> list[str]:
        """Returns the normalised targets of a split; of queries what a prediction is scored against."""
        task = self.task
        targets = [task.normalise(each.target(task.needs) or "") for each in self.splits.splits[split]]
        if isinstance(task, QueryByExample) and split != "train":
            return task.references(targets, self.targets("train"))
        return targets

    @property
    def trained(self) -> Task:
        """The task, where probes are trained on it."""
        assert not isinstance(self.task, QueryByExample)
        return self.task


@dataclass(frozen=True)
class Outcome:
    """What the probes of one encoder on one task came to.

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


def evaluate_pooled(
    job: ProbeJob, encoders: Mapping[str, Features], *, device: torch.device, report: Report
) -> list[Outcome]:
    """Trains the probes of several encoders of one shape as one problem, and scores the best ones.

    Args:
        job: An utterance task and its settings.
        encoders: Label → features.
        device: Where the probes train.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read.
    """

    def heard(split: str) -> Tensor:
        return torch.stack([each.pooled(job.heard(split)) for each in encoders.values()])  # (E, U, L + 1, D)

    what = next(iter(encoders)) if len(encoders) == 1 else f"{len(encoders)} encoders"
    train_split = PooledExamples(heard("train"), job.targets("train"))
    dev_split = PooledExamples(heard("dev"), job.targets("dev"))

    def train(chosen: Sequence[int], learning_rates: Sequence[float]) -> Sequence[Mapping[float, Sequence[Trained]]]:
        _start(what if len(chosen) == len(encoders) else f"{len(chosen)} of {what}", job, learning_rates, report)
        probes = train_pooled_probes(
            job.trained,
            train_split.of(chosen),
            dev_split.of(chosen),
            learning_rates=learning_rates,
            seeds=job.seeds,
            steps=job.steps,
            batch_size=job.batch_size,
            evaluations=job.evaluations,
            is_balanced=job.is_balanced,
            device=device,
            advance=lambda done: report(Advanced(done)),
        )
        report(Finished())
        return probes

    swept = _sweep(job, train, len(encoders))
    vocabulary = job.trained.vocabulary(train_split.targets)
    predictions = [
        [predict_pooled(job.trained, probe.weights, features, vocabulary, device=device) for probe in each.probes]
        for each, features in zip(swept, heard("test"), strict=True)
    ]
    return [_outcome(job, each, predicted) for each, predicted in zip(swept, predictions, strict=True)]


def evaluate_frames(job: ProbeJob, label: str, features: Features, *, device: torch.device, report: Report) -> Outcome:
    """Trains the probes of one encoder side by side on the same batches, and scores the best ones.

    Args:
        job: A sequence task and its settings.
        label: The encoder's name.
        features: The encoder's.
        device: Where the probes train.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read.
    """
    splits = {split: _frames(job, split, features) for split in job.splits.splits}

    def train(chosen: Sequence[int], learning_rates: Sequence[float]) -> Sequence[Mapping[float, Sequence[Trained]]]:
        del chosen  # there is one encoder
        _start(label, job, learning_rates, report)
        probes = train_frame_probes(
            job.trained,
            splits["train"],
            splits["dev"],
            learning_rates=learning_rates,
            seeds=job.seeds,
            steps=job.steps,
            batch_size=job.batch_size,
            evaluations=job.evaluations,
            device=device,
            advance=lambda done: report(Advanced(done)),
        )
        report(Finished())
        return [probes]

    (swept,) = _sweep(job, train, 1)
    vocabulary = job.trained.vocabulary(splits["train"].targets)
    weights = [probe.weights for probe in swept.probes]
    predict = None if job.reading is None else job.reading.predict
    test = predict_frames(job.trained, weights, splits["test"], vocabulary, predict=predict, device=device)
    return _outcome(job, swept, test)


def _frames(job: ProbeJob, split: str, features: Features) -> FrameExamples:
    heard = job.heard(split)
    return FrameExamples(
        features=lambda row: features.hidden_states(heard[row]),
        lengths=[each.duration for each in heard],
        targets=job.targets(split),
    )


def _sweep(job: ProbeJob, train: Train, encoders: int) -> list[Swept]:
    return sweep_learning_rates(
        job.task.metrics[0],
        train,
        encoders=encoders,
        learning_rates=job.learning_rates,
        extensions=job.extensions,
    )


def _start(what: str, job: ProbeJob, learning_rates: Sequence[float], report: Report) -> None:
    is_first = set(learning_rates) == set(job.learning_rates)
    further = "" if is_first else f", further learning rate {learning_rates[0]:g}"
    report(Started(f"{what}: {job.task.name} probes{further}", job.steps, "updates"))


def _outcome(job: ProbeJob, swept: Swept, predictions: Sequence[Sequence[str]]) -> Outcome:
    references = job.targets("test")
    test = tuple(job.task.score(each, references) for each in predictions)
    return Outcome(swept, tuple(each.dev for each in swept.probes), test, tuple(predictions))
