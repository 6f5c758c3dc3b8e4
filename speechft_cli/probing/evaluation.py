"""One frozen encoder on one task: features, probes, scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from speechft_cli.data.task_splits import TaskSplits
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.encoders.s3prl import Encoder
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.probing.features import HiddenStates, hidden_states, pooled_features
from speechft_cli.probing.frames import FrameExamples, train_frame_probes
from speechft_cli.probing.pooled import PooledExamples, train_pooled_probes
from speechft_cli.probing.probe import ProbeOutcome
from speechft_cli.tasks.base import Task


@dataclass(frozen=True)
class FrozenEncoder:
    """An encoder to probe.

    Attributes:
        label: Its name in messages.
        encoder: In evaluation mode.
        weights_hash: Of its weights.
        states: Its hidden states, shared by all tasks.
    """

    label: str
    encoder: Encoder
    weights_hash: str
    states: HiddenStates


@dataclass(frozen=True)
class ProbeJob:
    """A task and how to probe it.

    Attributes:
        task: The task.
        splits: Its utterances.
        manifest_hash: Hash of the manifest folder.
        learning_rates: To try.
        steps: Optimizer updates of each probe.
        crop_seconds: Longest stretch heard of each utterance [s]; None for all of it.
        seed: Of the probes.
    """

    task: Task
    splits: TaskSplits
    manifest_hash: str
    learning_rates: tuple[float, ...]
    steps: int
    crop_seconds: Seconds | None
    seed: int


def evaluate(
    frozen: FrozenEncoder, job: ProbeJob, *, device: torch.device, cache: Path, report: Report
) -> ProbeOutcome:
    """Encodes the task's utterances, trains its probes, and scores the best one.

    Args:
        frozen: The encoder.
        job: The task and its settings.
        device: Where the probes train.
        cache: Folder of the cached pooled features.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read.
    """
    if job.task.is_pooled:
        return _evaluate_pooled(frozen, job, device=device, cache=cache, report=report)
    return _evaluate_frames(frozen, job, device=device, report=report)


def _evaluate_pooled(
    frozen: FrozenEncoder, job: ProbeJob, *, device: torch.device, cache: Path, report: Report
) -> ProbeOutcome:
    utterances = [each for members in job.splits.splits.values() for each in members]
    _start_encoding(frozen, job, len(utterances), report)
    # whole utterances are what sequence tasks hear too; crops are nobody else's
    encode = frozen.states.fetch if job.crop_seconds is None else partial(hidden_states, frozen.encoder)
    pooled = pooled_features(
        encode,
        utterances,
        layer_count=frozen.encoder.layer_count,
        width=frozen.encoder.width,
        encoder_hash=frozen.weights_hash,
        manifest_hash=job.manifest_hash,
        crop_seconds=job.crop_seconds,
        cache=cache,
        advance=lambda done: report(Advanced(done)),
    )
    report(Finished())
    sizes = [len(members) for members in job.splits.splits.values()]
    examples = {
        split: PooledExamples(features, _targets(job, members))
        for (split, members), features in zip(job.splits.splits.items(), torch.split(pooled, sizes), strict=True)
    }
    # all learning rates advance together
    return _probe(frozen, job, train_pooled_probes, examples, updates=job.steps, device=device, report=report)


def _evaluate_frames(frozen: FrozenEncoder, job: ProbeJob, *, device: torch.device, report: Report) -> ProbeOutcome:
    states = frozen.states
    utterances = [each for members in job.splits.splits.values() for each in members]
    _start_encoding(frozen, job, len(utterances), report)
    for done, utterance in enumerate(utterances, start=1):
        if not states.is_full:
            states.fetch(utterance)
        report(Advanced(done))
    report(Finished())
    streamed = sum(utterance not in states for utterance in utterances)
    if streamed:
        report(
            Note(
                f"{frozen.label}, {job.task.name}: the hidden states of {streamed} of {len(utterances)} utterances do "
                f"not fit into {states.budget / 2**30:.1f} GiB; they are encoded again at each use"
            )
        )
    examples = {
        split: FrameExamples(
            features=lambda row, members=members: states.fetch(members[row]),  # type: ignore[misc]
            lengths=[each.duration for each in members],
            targets=_targets(job, members),
        )
        for split, members in job.splits.splits.items()
    }
    updates = job.steps * len(job.learning_rates)
    return _probe(frozen, job, train_frame_probes, examples, updates=updates, device=device, report=report)


def _start_encoding(frozen: FrozenEncoder, job: ProbeJob, count: int, report: Report) -> None:
    report(Started(f"{frozen.label}: encoding for {job.task.name}", count, "utterances"))


def _probe(
    frozen: FrozenEncoder,
    job: ProbeJob,
    train: Callable[..., ProbeOutcome],
    examples: Mapping[str, PooledExamples] | Mapping[str, FrameExamples],
    *,
    updates: int,
    device: torch.device,
    report: Report,
) -> ProbeOutcome:
    """Trains the probes with `train`, which makes `updates` updates in all, and tells what came out."""
    report(Started(f"{frozen.label}: {job.task.name} probes", updates, "updates"))
    outcome = train(
        job.task,
        examples,
        learning_rates=job.learning_rates,
        steps=job.steps,
        seed=job.seed,
        device=device,
        advance=lambda done: report(Advanced(done)),
    )
    metric = job.task.metrics[0]
    scores = f"dev {metric.format(outcome.dev[metric.name])}, test {metric.format(outcome.test[metric.name])}"
    report(Finished(f"{metric.title}: {scores} (learning rate {outcome.learning_rate:g}, update {outcome.step})"))
    return outcome


def _targets(job: ProbeJob, utterances: Sequence[Utterance]) -> list[str]:
    return [job.task.normalise(each.target(job.task.needs) or "") for each in utterances]
