"""What an evaluation is asked for, checked before the first probe trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.manifests.prepared import data_hash
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.engines.device import choose_device
from speechft_cli.engines.evaluate.drift import drift_utterances
from speechft_cli.engines.evaluate.encoders import (
    find_candidates,
    likely_family,
    load,
    of_one_lineage,
    require_one_way,
)
from speechft_cli.engines.evaluate.jobs import probe_jobs
from speechft_cli.engines.evaluate.lineage import target_tasks
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Note, Report
from speechft_cli.probing.candidates import BASE, Candidate
from speechft_cli.probing.features import Keeping
from speechft_cli.probing.job import ProbeJob
from speechft_cli.registry import unknown_name
from speechft_cli.reporting.superb import CONSTANTS
from speechft_cli.reporting.superb.own import read_constants
from speechft_cli.reporting.superb.score import Constants
from speechft_cli.tasks import TASKS, probed_tasks

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Request:
    """An evaluation to do.

    Attributes:
        likely_family: Of an encoder whose file does not tell.
        candidates: The encoders, in the order of the tables.
        base_path: The base encoder, which lends its configuration to a checkpoint of its family without.
        hashes: Label → hash of the weights as they load.
        configurations: That hash → hash of what else features depend on, as the first encoder with the weights has it.
        kinds: Label → the encoder's family, or what else it is.
        jobs: The tasks, in the order of the tables.
        data: Folder of the manifests.
        device: Where to encode and to train.
        seed: The experiment's.
        constants: Of the SUPERB score.
        target: Tasks that are to gain; the others are to be retained.
        target_source: How the target is known.
        drift: What drift is measured on; nothing for no drift.
        keeping: Where and how features are kept.
    """

    likely_family: EncoderFamily | None
    candidates: tuple[Candidate, ...]
    base_path: Path | None
    hashes: dict[str, str]
    configurations: dict[str, str]
    kinds: dict[str, str]
    jobs: tuple[ProbeJob, ...]
    data: Path
    device: torch.device
    seed: int
    constants: Constants
    target: tuple[str, ...]
    target_source: str
    drift: tuple[Utterance, ...]
    keeping: Keeping

    @property
    def base(self) -> str | None:
        """Label of the base encoder, None when it is not among them."""
        return BASE if BASE in self.hashes else None

    @property
    def preset_suffix(self) -> str:
        """What is said beside every figure of another preset than the default one: `, preset quick`."""
        preset = self.jobs[0].preset if self.jobs else "default"
        return "" if preset == "default" else f", preset {preset}"

    @property
    def pairs(self) -> list[tuple[Candidate, str, ProbeJob]]:
        """Every (encoder, its weights hash, task), in the order of the tables."""
        return [(each, self.hashes[each.label], job) for each in self.candidates for job in self.jobs]


def read_request(config: Config, report: Report) -> Request:
    """Checks everything an evaluation needs: tasks, data, and every encoder down to loading it.

    Args:
        config: `evaluate` may be absent; encoders that are not named come from the experiment.
        report: Told which splits are used and what is left out.

    Raises:
        ConfigError: A task is unknown.
        RequestError: The data or an encoder can't be used.
    """
    section = config.evaluate or EvaluateSection()
    device = choose_device(section.device)
    constants = CONSTANTS.get(section.score) if section.score_file is None else read_constants(section.score_file)
    names = list(dict.fromkeys(section.tasks))
    _check_tasks(section, names)
    candidates = find_candidates(config, section, report)
    likely = likely_family(config, candidates, report)
    data = section.data or config.data_dir
    if not available_splits(data):
        read_manifest(data, "train")  # says what is missing and how to make it
    jobs = () if section.drift_only else probe_jobs(data, section, names, seed=config.seed, report=report)
    base = next((each.path for each in candidates if each.label == BASE and each.baseline is None), None)
    loaded = {each.label: load(each, likely, base, section.crop_seconds, report) for each in candidates}
    hashes = {label: each.weights_hash for label, each in loaded.items()}
    require_one_way(candidates, loaded, likely, base)
    if not section.models and not section.interpolate:
        candidates = of_one_lineage(candidates, hashes, report)
    target, target_source = target_tasks(config, candidates)
    _warn_of_known_labels(jobs, target, report)
    return Request(
        likely_family=likely,
        candidates=tuple(candidates),
        base_path=base,
        hashes=hashes,
        configurations={each.weights_hash: each.configuration for each in reversed(loaded.values())},
        kinds={each.label: loaded[each.label].kind for each in candidates},
        jobs=jobs,
        data=data,
        device=device,
        seed=config.seed,
        constants=constants,
        target=target,
        target_source=target_source,
        drift=_drift(section, data, candidates),
        keeping=Keeping(
            cache=section.cache or config.evaluate_dir / "cache",
            manifest_hash=data_hash(data),
            batching=section.batching,
            are_frames_alone=device.type == "cpu",
            memory=int(section.memory_gib * 2**30),
            disk=int(section.cache_gib * 2**30),
            precision=_PRECISIONS[section.frame_precision],
        ),
    )


def _check_tasks(section: EvaluateSection, names: Sequence[str]) -> None:
    """Makes sure that every task in the section is one that can be probed, and is given what its probes have.

    Raises:
        ConfigError: One is not; lists all problems.
    """
    asked = {"tasks": names, "steps": list(section.steps), "learning_rates": list(section.learning_rates)}
    asked |= {"labels": list(section.labels), "folds": list(section.folds)}
    problems = [
        f"evaluate.{key}: {unknown_name(name, list(TASKS))}"
        for key, tasks in asked.items()
        for name in tasks
        if name not in TASKS
    ]
    problems += [
        f"evaluate.tasks: must be tasks whose targets lie in manifests, got {name!r}, whose targets finetune makes"
        for name in names
        if name in TASKS and name not in probed_tasks()
    ]
    wanted = [] if section.drift_only else [task for task in section.target if task not in names]
    problems += [
        f"evaluate.target: must be among the tasks that are probed, {', '.join(names)}, got {each!r}" for each in wanted
    ]
    problems += [
        f"evaluate.learning_rates.{task}: must not be empty" for task, r in section.learning_rates.items() if not r
    ]
    problems += [
        f"evaluate.{key}.{name}: must be of a task with probes; {name} has none"
        for key in ("steps", "learning_rates", "folds")
        for name in asked[key]
        if name in TASKS and not TASKS.get(name).is_trained
    ]
    if problems:
        raise ConfigError(problems, "speechft list tasks shows every task")


def _warn_of_known_labels(jobs: Sequence[ProbeJob], target: Sequence[str], report: Report) -> None:
    """Says where the folds of a task test an encoder on labels that it was tuned with."""
    for job in jobs:
        known = sum(splits.from_train for splits in job.folds.values())
        if job.fold_field is not None and job.task.name in target and known:
            report(
                Note(
                    f"{job.task.name}: {known} of the utterances that its folds test on are in the manifests' train "
                    f"split; an encoder tuned on {job.task.name} with them knows their labels, and scores too well",
                    important=True,
                )
            )


def _drift(section: EvaluateSection, data: Path, candidates: Sequence[Candidate]) -> tuple[Utterance, ...]:
    """Returns what drift is measured on; nothing when it is not wanted or there is nothing to compare.

    Raises:
        RequestError: Nothing but drift is wanted, and it can't be had.
    """
    strange = [each.label for each in candidates if each.baseline is not None]
    if section.drift_only and strange:
        raise RequestError(
            f"drift: must be that of encoders made from {BASE}; a baseline is {', '.join(strange)}",
            "drop it, or --drift-only",
        )
    moving = [each for each in candidates if each.baseline is None]
    is_possible = len(moving) > 1 and any(each.label == BASE for each in moving)
    if section.drift_only and not is_possible:
        raise RequestError(
            f"drift: must have an encoder called {BASE} and another one, got {', '.join(e.label for e in candidates)}",
            f"--model {BASE}=PATH names the encoder that drift is measured from",
        )
    if section.drift_only and not section.drift_seconds:
        raise RequestError(
            "evaluate.drift_seconds: must be more than 0 when nothing but drift is measured, got 0", "60 is usual"
        )
    return tuple(drift_utterances(data, section.drift_seconds)) if is_possible and section.drift_seconds else ()
