"""What a fine-tuning run is asked to do, checked before the first file is written, and its plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from torch import nn

from speechft_cli.config.dump import config_yaml
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.encoder import DEFAULT_FAMILY
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.batches import plan_epoch
from speechft_cli.data.manifests import available_splits, read_manifest
from speechft_cli.data.prepared import data_hash
from speechft_cli.data.task_splits import split_for_task
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import Encoder, random_checkpoint
from speechft_cli.engines.device import choose_device
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report, Table
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import read_run
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Task, Vocabulary
from speechft_cli.training.examples import Example, LeftOut, scoring_examples, training_examples
from speechft_cli.training.freezing import trainable_parameters
from speechft_cli.training.schedule import StableSchedule

#: What may differ between a run and its resumption: where and how fast, not what.
_FREE_KEYS = {"workers", "device", "log_every", "out"}


@dataclass(frozen=True)
class FinetuneRequest:
    """Everything that is known before the first file is written."""

    section: FinetuneSection
    task: Task
    base: EncoderCheckpoint
    data: Path
    data_sha256: str
    vocabulary: Vocabulary
    train: list[Example]
    rejected: list[LeftOut]
    dev: list[Example]
    dev_left_out: int
    schedule: StableSchedule


def check_request(config: Config, *, resume_from: Path | None) -> FinetuneRequest:
    """Reads and checks everything a run needs; writes nothing.

    Args:
        config: Needs `encoder`; `finetune` and `prepare` have defaults.
        resume_from: Run folder to go on with.

    Raises:
        RequestError: Something asked for can't be.
    """
    section = config.finetune or FinetuneSection()
    task = TASKS.get(section.task)
    if resume_from is not None:
        _check_same_run(resolved(config), resume_from)
    base = _base(config, resume_from)
    data = section.data or config.data_dir
    utterances, dev_utterances = _utterances(data, task)
    targets = [task.normalise(target) for each in utterances if (target := each.target(task.needs)) is not None]
    if not targets:
        fields = sorted({name for each in utterances for name in each.labels} | {"text", "phones", "speaker"})
        raise RequestError(
            f"{data}: no training utterance has {task.needs!r}, which task {task.name} needs",
            f"fields a manifest may have here: {', '.join(fields)}",
        )
    vocabulary = task.vocabulary(targets)
    examples, rejected = training_examples(
        utterances,
        task,
        vocabulary,
        frame_count=base.family.frame_count,
        min_seconds=section.min_seconds,
        max_seconds=section.max_seconds,
    )
    dev = scoring_examples(dev_utterances, task, max_seconds=section.max_seconds)
    if not examples or not dev:
        reasons = Counter(each.reason for each in rejected)
        raise RequestError(
            f"{data}: must have utterances to train on and to select checkpoints with, has {len(examples)} in train "
            f"and {len(dev)} in dev"
            + "".join(f"\n  {count} training utterances left out: {reason}" for reason, count in reasons.items())
        )
    schedule = StableSchedule(
        steps=section.steps,
        frozen_share=section.frozen_share,
        warmup_share=section.warmup_share,
        hold_share=section.hold_share,
    )
    choose_device(section.device)
    data_sha256 = data_hash(data)
    if resume_from is not None and _recorded(resume_from, "data")["sha256"] != data_sha256:
        raise RequestError(
            f"{data}: has changed since the run in {resume_from} began, so it can't be resumed",
            "restore the manifests, or start another run: --out DIR",
        )
    left_out = len(dev_utterances) - len(dev)
    return FinetuneRequest(
        section, task, base, data, data_sha256, vocabulary, examples, rejected, dev, left_out, schedule
    )


def _utterances(data: Path, task: Task) -> tuple[Sequence[Utterance], Sequence[Utterance]]:
    """The task's train and dev utterances."""
    manifests = {split: list(read_manifest(data, split)) for split in ("train", "dev")}
    has_own = any(task.name in each.task_splits for members in manifests.values() for each in members)
    if not task.is_closed_set and not has_own:
        return manifests["train"], manifests["dev"]
    manifests |= {split: list(read_manifest(data, split)) for split in available_splits(data)}
    splits = split_for_task(
        manifests, task=task.name, field=task.needs, is_closed_set=task.is_closed_set, normalise=task.normalise
    ).splits
    return splits["train"], splits["dev"]


def resolved(config: Config) -> Config:
    """Returns the config with fine-tuning's section filled in, so that no later default can change the run."""
    return config.model_copy(update={"finetune": config.finetune or FinetuneSection()})


def _base(config: Config, resume_from: Path | None) -> EncoderCheckpoint:
    encoder = config.encoder
    if encoder is None or (encoder.checkpoint is None and encoder.init is None):
        raise RequestError(
            "encoder.checkpoint: must name the pre-trained encoder to start from",
            "or say so: encoder.init: random starts from random weights",
        )
    family = None if encoder.family is None else ENCODERS.get(encoder.family)
    if encoder.checkpoint is None:
        return random_checkpoint(family or ENCODERS.get(DEFAULT_FAMILY), encoder.size, seed=config.seed)
    base = read_encoder(encoder.checkpoint, family)
    if not base.is_complete:
        raise RequestError(
            f"{encoder.checkpoint}: has weights but no configuration, so it can't be a base",
            "start from an s3prl converted checkpoint, or merge it with its base first",
        )
    if resume_from is not None and _recorded(resume_from, "base")["weights_sha256"] != weights_hash(base.weights):
        raise RequestError(f"{encoder.checkpoint}: is not the encoder that the run in {resume_from} started from")
    return base


def _recorded(run: Path, what: str) -> Mapping[str, object]:
    """What run.json says of the run's `data` or `base`."""
    facts = read_run(run).get(what)
    if not isinstance(facts, dict) or not {"sha256", "weights_sha256"} & facts.keys():
        raise RequestError(f"{run / 'run.json'}: must say {what!r}, so the run can't be resumed", "start another run")
    return facts


def _check_same_run(config: Config, folder: Path) -> None:
    """A run is resumed with the settings it was begun with."""
    read_run(folder)  # says what is missing when there is no run
    try:
        old = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        old["seed"], old["finetune"], old["encoder"]
    except (OSError, yaml.YAMLError, TypeError, KeyError) as error:
        raise RequestError(f"{folder / 'config.yaml'}: can't be read: {error!r}", "start another run") from error
    new = yaml.safe_load(config_yaml(config))
    changed = [
        f"{section}.{key}: was {old.get(section, {}).get(key)!r}, is {new.get(section, {}).get(key)!r}"
        for section in ("encoder", "finetune")
        for key in sorted({*old.get(section, {}), *new.get(section, {})} - _FREE_KEYS)
        if old.get(section, {}).get(key) != new.get(section, {}).get(key)
    ]
    if old["seed"] != new["seed"]:
        changed.append(f"seed: was {old['seed']}, is {new['seed']}")
    if changed:
        raise RequestError("\n".join([f"{folder}: can't be resumed with other settings", *changed]))


def plan_table(request: FinetuneRequest, encoder: Encoder, head: nn.Module) -> Table:
    """Returns what will happen: data, and per stage which updates, who trains, how many parameters, which rate."""
    section, schedule = request.section, request.schedule
    head_size = sum(parameter.numel() for parameter in head.parameters())
    encoder_size = sum(parameter.numel() for parameter in trainable_parameters(encoder))
    durations = [example.utterance.duration for example in request.train]
    per_epoch = len(plan_epoch(durations, batch_seconds=section.batch_seconds, seed=0, epoch=0))
    rows = [
        ("training data", f"{len(durations)} utterances, {sum(durations) / 3600:.2f} h, {per_epoch} steps per epoch"),
        ("dev data", f"{len(request.dev)} utterances"),
        ("CNN", "never trains"),
        ("frozen encoder's dropout", "on" if section.frozen_dropout else "off"),
    ]
    for stage, first, end in schedule.stages():
        size = head_size if stage == "frozen" else head_size + encoder_size
        who = "head" if stage == "frozen" else "head and encoder"
        low, high = schedule.rate(first), schedule.rate(end)
        rates = " → ".join(f"{section.learning_rate * rate:.2g}" for rate in dict.fromkeys((low, high)))
        rows.append((f"steps {first + 1}-{end}: {stage}", f"{who}, {size / 1e6:.2f} M parameters, rate {rates}"))
    return Table(
        f"{request.task.name}: stable fine-tuning of {request.base.family.name}", ("what", "plan"), tuple(rows)
    )


def tell_rejected(request: FinetuneRequest, report: Report) -> None:
    """Tells for each reason how many training utterances were left out, with an example."""
    for reason, count in Counter(each.reason for each in request.rejected).items():
        example = next(each for each in request.rejected if each.reason == reason)
        detail = f" ({example.detail})" if example.detail else ""
        report(Note(f"{count} training utterances left out: {reason}, for example {example.utterance_id}{detail}"))
    if request.dev_left_out:
        longest = request.section.max_seconds
        needs = request.task.needs
        report(Note(f"{request.dev_left_out} dev utterances left out: no {needs}, or longer than {longest:g} s"))
