"""A task probed on frozen encoders: probes trained, one learning rate chosen per encoder, test scored once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from speechft_cli.events import Advanced, Finished, Report, Started
from speechft_cli.probing.features import Features
from speechft_cli.probing.frames import FrameExamples, predict_frames, train_frame_probes
from speechft_cli.probing.job import Outcome, ProbeJob
from speechft_cli.probing.pooled import PooledExamples, predict_pooled, train_pooled_probes
from speechft_cli.probing.probe import Trained
from speechft_cli.probing.search import evaluate_search
from speechft_cli.probing.sweep import Swept, Train, sweep_learning_rates


def evaluate(job: ProbeJob, encoders: Mapping[str, Features], *, device: torch.device, report: Report) -> list[Outcome]:
    """Probes encoders on one fold of a task, in the way of its kind, and scores test once with what dev has chosen.

    Args:
        job: Of one fold.
        encoders: Label → features; of an utterance task all of one shape, whose probes train as one problem.
        device: Where the probes train.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read.
    """
    if job.task.is_pooled:
        return _evaluate_pooled(job, encoders, device=device, report=report)
    alone = _evaluate_frames if job.task.is_trained else evaluate_search
    return [alone(job, label, features, device=device, report=report) for label, features in encoders.items()]


def _evaluate_pooled(
    job: ProbeJob, encoders: Mapping[str, Features], *, device: torch.device, report: Report
) -> list[Outcome]:
    """Trains the probes of several encoders of one shape as one problem, and scores the best ones."""

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


def _evaluate_frames(job: ProbeJob, label: str, features: Features, *, device: torch.device, report: Report) -> Outcome:
    """Trains the probes of one encoder side by side on the same batches, and scores the best ones."""
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
        features=lambda rows: features.hidden_states([heard[row] for row in rows]),
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
    report(Started(f"{what}: {job.title} probes{further}", job.steps, "updates"))


def _outcome(job: ProbeJob, swept: Swept, predictions: Sequence[Sequence[str]]) -> Outcome:
    references = job.targets("test")
    test = tuple(job.task.score(each, references) for each in predictions)
    return Outcome(swept, tuple(each.dev for each in swept.probes), test, tuple(predictions))
