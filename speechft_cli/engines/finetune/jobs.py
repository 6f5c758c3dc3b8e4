"""What a fine-tuning run trains on: the tasks it was asked for, with their utterances, checked."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.batches import FRAME_STRIDE
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.splits.task_splits import other_fields, split_for_task
from speechft_cli.data.utterance import field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.base import MASK_EMBEDDING
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.engines.scorable import unscored
from speechft_cli.errors import RequestError, amount
from speechft_cli.tasks import trained_task
from speechft_cli.tasks.base import Task
from speechft_cli.tasks.hubert import HUBERT, unit_vocabulary
from speechft_cli.tasks.labels import with_label
from speechft_cli.tasks.masking import Masking
from speechft_cli.training.job import Job
from speechft_cli.training.usable import LeftOut, usable_by_length, usable_for_scoring, usable_for_training

#: HuBERT's longest stretch of an utterance [s]: 250 000 samples.
_HUBERT_CROP = 15.625
#: Targets whose normalisation is remembered: of classes there are few.
_REMEMBERED = 4096


@dataclass(frozen=True)
class CheckedJob:
    """A job, and what of its data can't be used.

    Attributes:
        job: What to train.
        rejected: Training utterances that are left out.
        dev_left_out: How many of dev are.
        dev_unscored: What else of dev is not scored; "" for nothing.
    """

    job: Job
    rejected: list[LeftOut]
    dev_left_out: int
    dev_unscored: str = ""


def check_jobs(section: FinetuneSection, data: Path, base: EncoderCheckpoint) -> list[CheckedJob]:
    """Reads the manifests and makes a job of every task.

    Args:
        section: What was asked for.
        data: The manifest folder.
        base: Its family says how many frames there are, its configuration what pre-training hides.

    Raises:
        RequestError: A task has nothing to train on, or is asked for what it can't.
    """
    return [
        _masked_job(section, data, base, weight)
        if name == HUBERT.name
        else _labelled_job(section, data, base, _task(section, name), weight)
        for name, weight in section.weighted_tasks.items()
    ]


def left_out_notes(checked: CheckedJob, section: FinetuneSection) -> Iterator[str]:
    """Says for each reason how many utterances were left out, with an example."""
    for each in checked.rejected:
        detail = f" ({each.detail})" if each.detail else ""
        count = amount(each.count, "training utterances")
        yield f"{count} left out: {each.reason}, for example {each.utterance_id}{detail}"
    if checked.dev_left_out:
        needs, longest = checked.job.task.needs, f"longer than {section.max_seconds:g} s"
        reason = (
            f"shorter than {section.min_seconds:g} s, {longest}"
            if checked.job.masking is not None
            else f"no {field_in_words(needs)}, {longest}"
        )
        yield f"{amount(checked.dev_left_out, 'dev utterances')} left out: {reason}, or too short for a frame"
    if checked.dev_unscored:
        yield f"dev: {checked.dev_unscored}"


def speaker_warnings(data: Path, checked: Sequence[CheckedJob]) -> Iterator[str]:
    """Says which speakers of the train split are heard in an evaluation split too, where that is not the task."""
    if all(each.job.task.is_closed_set for each in checked):
        return
    speakers = {
        split: {each for each in read_manifest(data, split).targets("speaker") if each is not None}
        for split in available_splits(data)
    }
    heard = {split: speakers["train"] & speakers.get(split, set()) for split in ("dev", "test")}
    common = sorted(set().union(*heard.values()))
    if common:
        splits = " and ".join(split for split, each in heard.items() if each)
        yield (
            f"warning: speakers of train are heard in {splits} too ({len(common)}, for example {common[0]}): scores "
            "there say less about speakers never heard"
        )


def _task(section: FinetuneSection, name: str) -> Task:
    task = with_label(trained_task(name, key="finetune.task"), section.labels.get(name), key=f"finetune.labels.{name}")
    return cast("Task", task)


def _labelled_job(
    section: FinetuneSection, data: Path, base: EncoderCheckpoint, task: Task, weight: float
) -> CheckedJob:
    utterances, dev_utterances = _utterances(data, task)
    if all(target is None for target in utterances.targets(task.needs)):
        raise RequestError(
            f"{data}: no training utterance has {field_in_words(task.needs)!r}, which task {task.name} needs",
            other_fields(utterances, task.name),
        )
    if section.crop_seconds is not None and not task.is_pooled:
        raise RequestError(
            f"finetune.crop_seconds: must be left out for the task {task.name}: a stretch of an utterance has not the "
            "whole target",
            "leave out longer utterances instead: --set finetune.max_seconds=SECONDS",
        )
    normalise = functools.lru_cache(_REMEMBERED)(task.normalise)
    normalised = (normalise(target) for target in utterances.targets(task.needs) if target is not None)
    vocabulary = task.vocabulary(filter(None, normalised))
    train, rejected = usable_for_training(
        utterances,
        task,
        vocabulary,
        frame_counts=base.family.frame_count,
        min_seconds=section.min_seconds,
        max_seconds=section.max_seconds,
    )
    dev = usable_for_scoring(
        dev_utterances, task, frame_counts=base.family.frame_count, max_seconds=section.max_seconds
    )
    _require_some(data, train, dev, rejected)
    job = Job(task, vocabulary, train, dev, weight, section.crop_seconds)
    return CheckedJob(job, rejected, len(dev_utterances) - len(dev), unscored(task, dev, f"{data}: dev"))


def _masked_job(section: FinetuneSection, data: Path, base: EncoderCheckpoint, weight: float) -> CheckedJob:
    if MASK_EMBEDDING not in base.weights:
        raise RequestError(
            f"finetune.task: must be a task with labels, because {base.family.name} has no mask embedding for hubert",
            "speechft list tasks shows them; docs/formats.md says which families have a mask embedding",
        )
    configuration = cast("Mapping[str, float]", base.family.section(base.container, base.family.configuration) or {})
    masking = Masking(float(configuration.get("mask_prob", 0.8)), int(configuration.get("mask_length", 10)))
    usable = functools.partial(
        usable_by_length,
        frame_counts=base.family.frame_count,
        min_seconds=section.min_seconds,
        max_seconds=section.max_seconds,
    )
    train, rejected = usable(read_manifest(data, "train"))
    dev_utterances = read_manifest(data, "dev")
    dev, _ = usable(dev_utterances)
    _require_some(data, train, dev, rejected)
    longest = float(train.durations.max())  # the last one that is taken may be more than is left
    seconds = min(float(train.durations.sum()), section.units.fit_hours * 3600 + longest)
    if section.units.clusters > (frames := round(seconds * SAMPLE_RATE / FRAME_STRIDE)):
        raise RequestError(
            f"finetune.units.clusters: must be at most the number of frames, {frames}, got {section.units.clusters}"
        )
    job = Job(
        HUBERT,
        unit_vocabulary(section.units.clusters),
        train,
        dev,
        weight,
        section.crop_seconds or _HUBERT_CROP,
        masking,
        section.units.unmasked_weight,
    )
    return CheckedJob(job, rejected, len(dev_utterances) - len(dev))


def _require_some(data: Path, train: Utterances, dev: Utterances, rejected: Sequence[LeftOut]) -> None:
    if train and dev:
        return
    raise RequestError(
        f"{data}: must have utterances to train on and to select checkpoints with, has {len(train)} in train "
        f"and {len(dev)} in dev"
        + "".join(f"\n  {amount(each.count, 'training utterances')} left out: {each.reason}" for each in rejected),
        "finetune.min_seconds and finetune.max_seconds say what is left out; speechft data stats shows what is there",
    )


def _utterances(data: Path, task: Task) -> tuple[Utterances, Utterances]:
    """The task's train and dev utterances."""
    train, dev = (read_manifest(data, split) for split in ("train", "dev"))
    has_own = any(split is not None for members in (train, dev) for split in members.task_splits(task.name))
    if not task.is_closed_set and not has_own:
        return train, dev
    manifests = {split: read_manifest(data, split) for split in available_splits(data)}
    splits = split_for_task(
        manifests, task=task.name, field=task.needs, is_closed_set=task.is_closed_set, normalise=task.normalise
    ).splits
    return splits["train"], splits["dev"]
