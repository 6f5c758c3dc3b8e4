"""What an evaluation is asked for, checked before the first probe trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.manifests import available_splits, read_manifest
from speechft_cli.data.prepared import data_hash
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.local import recorded_path
from speechft_cli.engines.device import choose_device
from speechft_cli.engines.drift import drift_utterances
from speechft_cli.engines.evaluate_grid import grid_candidates
from speechft_cli.engines.evaluate_jobs import probe_jobs
from speechft_cli.engines.lineage import target_tasks
from speechft_cli.engines.ranks import own_device
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Note, Report
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import read_run
from speechft_cli.probing.candidates import BASE, TUNED, Candidate, build_candidate, named, of_experiment
from speechft_cli.probing.features import Keeping
from speechft_cli.probing.job import ProbeJob
from speechft_cli.registry import unknown_name
from speechft_cli.reporting.superb import CONSTANTS
from speechft_cli.reporting.superb.own import read_constants
from speechft_cli.reporting.superb.score import Constants
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.qbe import QBE

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Request:
    """An evaluation to do.

    Attributes:
        family: Of all the encoders; None when there are only baselines.
        candidates: The encoders, in the order of the tables.
        base_path: The base encoder, which lends its configuration to a checkpoint without.
        hashes: Label → hash of the weights as they load.
        jobs: The tasks, in the order of the tables.
        data: Folder of the manifests.
        manifest_hash: Its hash.
        device: Where to encode and to train.
        seed: The experiment's.
        constants: Of the SUPERB score.
        target: Tasks that are to gain; the others are to be retained.
        target_source: How the target is known.
        drift: What drift is measured on; nothing for no drift.
        keeping: Where and how features are kept.
    """

    family: EncoderFamily | None
    candidates: tuple[Candidate, ...]
    base_path: Path | None
    hashes: dict[str, str]
    jobs: tuple[ProbeJob, ...]
    data: Path
    manifest_hash: str
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
    device = own_device(choose_device(section.device))
    constants = CONSTANTS.get(section.score) if section.score_file is None else read_constants(section.score_file)
    names = list(dict.fromkeys(section.tasks))
    asked = {"tasks": names, "steps": list(section.steps), "learning_rates": list(section.learning_rates)}
    asked |= {"labels": list(section.labels), "folds": list(section.folds)}
    problems = [
        f"evaluate.{key}: {unknown_name(name, list(TASKS))}"
        for key, tasks in asked.items()
        for name in tasks
        if name not in TASKS
    ]
    wanted = [] if section.drift_only else [task for task in section.target if task not in names]
    problems += [
        f"evaluate.target: must be among the tasks that are probed, {', '.join(names)}, got {each!r}" for each in wanted
    ]
    problems += [
        f"evaluate.learning_rates.{task}: must not be empty" for task, r in section.learning_rates.items() if not r
    ]
    problems += [
        f"evaluate.{key}.{QBE.name}: must be of a task with probes; {QBE.name} has none"
        for key in ("steps", "learning_rates", "folds")
        if QBE.name in asked[key]
    ]
    if problems:
        raise ConfigError(problems, "speechft list tasks shows every task")
    candidates = _candidates(config, section, report)
    family = _family(config, candidates, report)
    data = section.data or config.data_dir
    if not available_splits(data):
        list(read_manifest(data, "train"))  # says what is missing and how to make it
    jobs = () if section.drift_only else probe_jobs(data, section, names, seed=config.seed, report=report)
    base = next((each.path for each in candidates if each.label == BASE and each.baseline is None), None)
    hashes = {each.label: _loaded_hash(each, family, base, section.crop_seconds, report) for each in candidates}
    if not section.models and not section.interpolate:
        candidates = _of_one_lineage(candidates, hashes, report)
    target, target_source = target_tasks(config, candidates)
    _warn_of_known_labels(jobs, target, report)
    return Request(
        family=family,
        candidates=tuple(candidates),
        base_path=base,
        hashes=hashes,
        jobs=jobs,
        data=data,
        manifest_hash=data_hash(data),
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
            memory=int(section.memory_gib * 2**30),
            disk=int(section.cache_gib * 2**30),
            precision=_PRECISIONS[section.frame_precision],
        ),
    )


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


def _loaded_hash(
    candidate: Candidate, family: EncoderFamily | None, base: Path | None, crop: float | None, report: Report
) -> str:
    """Returns the hash of an encoder's weights as they load.

    Raises:
        RequestError: It does not load, or makes no frame of a crop.
    """
    device = torch.device("cpu")
    encoder = build_candidate(candidate, family, base=base, device=device, exact_padding=False, report=report)
    if crop is not None and encoder.framing.count(int(crop * SAMPLE_RATE)) == 0:
        raise RequestError(
            f"evaluate.crop_seconds: must be long enough for a frame of {encoder.kind}, got {crop:g}",
            "a second or more",
        )
    return weights_hash(encoder.weights())


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


def _of_one_lineage(candidates: Sequence[Candidate], hashes: Mapping[str, str], report: Report) -> list[Candidate]:
    """Leaves out what was merged from another base or tuned encoder than those of the experiment, and says so."""
    kept = []
    for each in candidates:
        strange = [
            label
            for label in (BASE, TUNED)
            if each.alpha is not None and label in hashes and hashes[label] not in each.merged_from.get(label, ())
        ]
        if strange:
            text = f"was merged from another {' and another '.join(strange)} encoder than this experiment's"
            report(Note(f"{each.path}: {text}, so it is left out; speechft merge makes it anew", important=True))
        else:
            kept.append(each)
    return kept


def _family(config: Config, candidates: Sequence[Candidate], report: Report) -> EncoderFamily | None:
    """Returns the family that the config names, else that of the first encoder in a file: they must all be of one.

    Baselines are of none.
    """
    if config.encoder is not None and config.encoder.family is not None:
        return ENCODERS.get(config.encoder.family)
    pretrained = [each for each in candidates if each.baseline is None]
    first = next((each for each in pretrained if each.make is None), None)
    return None if first is None else read_encoder(first.path, report=report).family


def _candidates(config: Config, section: EvaluateSection, report: Report) -> list[Candidate]:
    models = [named(label, path, seed=config.seed) for label, path in section.models.items()]
    if section.interpolate:
        found = grid_candidates(config, report)
        twice = sorted({each.label for each in found} & section.models.keys())
        if twice:
            raise RequestError(
                f"evaluate.models: must have other labels than the grid's, got {', '.join(twice)}", "--model LABEL=PATH"
            )
        return [*found, *models]
    if models:
        return models
    merge = config.merge
    base = (merge.base if merge else None) or (config.encoder.checkpoint if config.encoder else None)
    if base is None and (config.run_dir / "run.json").is_file():
        begun = read_run(config.run_dir).get("base")
        base = recorded_path(begun) if isinstance(begun, dict) and begun.get("path") else None
    has_run = (config.run_dir / "best" / "encoder.pt").is_file()
    tuned = list(merge.tuned) if merge and merge.tuned else [config.run_dir] if has_run else []
    file_name = merge.file_name if merge else "encoder.pt"
    found = of_experiment(base=base, tuned=tuned, merged=config.merge_dir, file_name=file_name)
    missing = [
        what
        for what, is_there in (
            ("base encoder (merge.base, encoder.checkpoint)", base is not None),
            (f"tuned encoder ({config.run_dir / 'best' / 'encoder.pt'})", bool(tuned)),
            (f"merged encoder ({config.merge_dir})", any(each.alpha is not None for each in found)),
        )
        if not is_there
    ]
    if not found:
        raise RequestError(
            "evaluate.models: must name encoders when there is no experiment; no " + ", no ".join(missing),
            "speechft evaluate --model LABEL=PATH --task sid --data DIR --out DIR",
        )
    for what in missing:
        report(Note(f"nothing to evaluate as {what}"))
    return found
