"""Which tasks are probed, on which utterances, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.splits.folds import folds_for_task
from speechft_cli.data.splits.subset import Most
from speechft_cli.data.splits.task_splits import RULES, TaskSplits, split_for_task
from speechft_cli.data.utterance import field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.engines.scorable import unscored
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report
from speechft_cli.io.hashes import file_hash
from speechft_cli.probing.apart import require_apart
from speechft_cli.probing.beam import BeamSettings, beam_decoder
from speechft_cli.probing.job import ProbeJob, Reading
from speechft_cli.probing.probe import probe_seeds
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.labels import with_label
from speechft_cli.tasks.presets import PRESETS
from speechft_cli.tasks.presets.base import ProbePlan

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask


def probe_jobs(
    data: Path, section: EvaluateSection, names: Sequence[str], *, seed: int, report: Report
) -> tuple[ProbeJob, ...]:
    """Returns a job per task, its utterances chosen.

    Args:
        data: Folder of the manifests.
        section: What is asked for.
        names: The tasks.
        seed: The experiment's.
        report: Told which splits are used and what is left out.

    Raises:
        RequestError: The preset is unknown or has no plan for a task, the manifests lack what a task needs, or the
            n-gram can't be used.
    """
    manifests = {split: read_manifest(data, split) for split in available_splits(data)}
    preset = PRESETS.get(section.preset)
    if preset.name != "default":
        report(Note(f"preset {preset.name}: {preset.text}", important=True))
    reading = _reading(section) if "asr" in names else None
    jobs, problems = [], []
    for name in names:
        try:
            task = with_label(TASKS.get(name), section.labels.get(name), key=f"evaluate.labels.{name}")
            plan = preset.plan(task)
            fold_field, folds = _folds(task, plan, section, manifests, report)
            for splits in folds.values():
                require_apart(name, splits.splits)
            notes = _unscored(task, data, folds)
        except RequestError as error:
            problems.append(error)
            continue
        _tell(name, fold_field, folds, report)
        for note in notes:
            report(Note(note))
        jobs.append(
            ProbeJob(
                task=plan.task(task),
                preset=preset.name,
                reading=reading if name == "asr" else None,
                folds=folds,
                fold_field=fold_field,
                learning_rates=tuple(section.learning_rates.get(name, plan.learning_rates)),
                extensions=section.extend_learning_rates,
                steps=section.steps.get(name, plan.steps),
                batch_size=plan.batch_size,
                evaluations=plan.evaluations,
                is_balanced=plan.is_balanced,
                crop_seconds=section.crop_seconds if task.is_pooled else None,
                seeds=probe_seeds(seed, name, section.seeds) if plan.steps else (),
                batching=section.batching,
                precision="fp32" if task.is_pooled else section.frame_precision,
            )
        )
    if problems:
        raise RequestError("\n".join(each.message for each in problems), problems[0].hint)
    return tuple(jobs)


def _folds(
    task: AnyTask,
    plan: ProbePlan,
    section: EvaluateSection,
    manifests: Mapping[str, Utterances],
    report: Report,
) -> tuple[str | None, Mapping[str, TaskSplits]]:
    """Returns the field whose values are folds, None for a single split; and the utterances of each fold.

    Raises:
        RequestError: Folds are asked for that the manifests don't have, or a split has no utterance.
    """
    most = None if plan.most is None else Most(*plan.most)
    asked = section.folds.get(task.name, plan.folds or None)
    if asked is not None:
        folds = folds_for_task(
            manifests,
            task=task.name,
            field=task.needs,
            fold_field=asked,
            is_closed_set=task.is_closed_set,
            normalise=task.normalise,
            most=most,
        )
        if folds:
            return asked, folds
        if task.name in section.folds:
            raise RequestError(
                f"evaluate.folds.{task.name}: must be a field with two values or more on utterances with "
                f"{field_in_words(task.needs)}, got {asked!r}",
                f"evaluate.folds: {{{task.name}: null}} takes the manifests' splits",
            )
        report(
            Note(
                f"{task.name}: preset {section.preset} takes the mean over folds by {asked}; these manifests have no "
                f"two values of {asked}, so one split is scored, which is not its protocol",
                important=True,
            )
        )
    splits = split_for_task(
        manifests,
        task=task.name,
        field=task.needs,
        is_closed_set=task.is_closed_set,
        normalise=task.normalise,
        is_of=None if task.is_trained else task.is_of,
        most=most,
    )
    return None, {"": splits}


def _unscored(task: AnyTask, data: Path, folds: Mapping[str, TaskSplits]) -> list[str]:
    """Returns what of dev and test is not scored, in words.

    Raises:
        RequestError: A split can't be scored.
    """
    if not task.is_trained:
        return []
    notes = []
    for fold, splits in folds.items():
        for split in ("dev", "test"):
            where = f"fold {fold}, {split}" if fold else split
            if note := unscored(task, splits.splits[split], f"{data}: {where}"):
                notes.append(f"{task.name}, {where}: {note}")
    return notes


def _tell(name: str, fold_field: str | None, folds: Mapping[str, TaskSplits], report: Report) -> None:
    """Says which splits are used and what is left out, where it is not what one expects."""
    if fold_field is not None:
        report(Note(f"{name}: mean over {len(folds)} folds by {fold_field}: {', '.join(folds)}", important=True))
    for fold, splits in folds.items():
        where = f"{name}, fold {fold}" if fold else name
        if splits.rule not in ("manifest", "folds"):
            report(Note(f"{where}: splits are {RULES[splits.rule]}"))
        for reason, count in splits.left_out.items():
            report(Note(f"{where}: utterances left out: {count}, {reason}"))


def _reading(section: EvaluateSection) -> Reading | None:
    """Returns how test transcripts are read where an n-gram is given.

    Raises:
        RequestError: The n-gram can't be used.
    """
    if section.language_model is None:
        return None
    settings = BeamSettings(
        size=section.beam_size, language_weight=section.language_weight, word_score=section.word_score
    )
    decode = beam_decoder(section.language_model, settings)
    return Reading(f"beam search, {settings.text()}, n-gram SHA-256 {file_hash(section.language_model)}", decode)
