"""What an evaluation says in the end: report.md, report.html, its pictures, the tables of a console, the result."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from speechft_cli import __version__
from speechft_cli.config.alphas import alpha_name
from speechft_cli.data.splits.task_splits import RULES
from speechft_cli.engines.evaluate.request import Request
from speechft_cli.engines.evaluate.scores import predictions_path
from speechft_cli.errors import amount
from speechft_cli.events import Report, Result, Table
from speechft_cli.io.atomic import atomic_folder, write_text
from speechft_cli.probing.candidates import BASE, TUNED
from speechft_cli.probing.job import ProbeJob
from speechft_cli.reporting.breakdown import Breakdown, break_down, read_predictions
from speechft_cli.reporting.document import to_html, to_markdown
from speechft_cli.reporting.drift import Drift, drift_table
from speechft_cli.reporting.evaluation_report import evaluation_document
from speechft_cli.reporting.recommendation import Option, Recommendation, recommend
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.sections.provenance import EncoderFacts, SplitFacts, TaskFacts
from speechft_cli.reporting.suggestion import Suggestion, suggest
from speechft_cli.reporting.superb.score import SuperbScore
from speechft_cli.reporting.superb.table import superb_scores, superb_table
from speechft_cli.reporting.tables import score_table
from speechft_cli.tasks.presets import PRESETS

_ANCHORS = {BASE: 0.0, TUNED: 1.0}
_CONSOLE_WIDTH = 80


@dataclass(frozen=True)
class _Findings:
    """What came out, and what follows from it; `superb` has a score for each label."""

    scores: Sequence[Score]
    drift: Sequence[Drift]
    superb: Mapping[str, SuperbScore]
    recommendation: Recommendation | None
    suggestion: Suggestion | None


def report_on(
    name: str, request: Request, scores: Sequence[Score], drift: Sequence[Drift], folder: Path, report: Report
) -> Result:
    """Writes report.md with its pictures, and report.html; shows the tables, and sums up.

    Drift alone is reported in drift.md and drift.html, so that an evaluation's report in the same folder stays.

    Args:
        name: Of the experiment.
        request: What was asked for.
        scores: All that came out, in the order of rows and columns; none when only drift was measured.
        drift: How far the encoders have moved.
        folder: Where to write.
        report: Gets the tables of test scores and SUPERB scores.
    """
    first = _first_metrics(request)
    decisive = [score for score in scores if score.metric == first[score.task]]
    found = _Findings(
        scores,
        drift,
        superb_scores(scores, request.constants, split="test"),
        recommend(decisive, base=request.base, target=request.target) if request.base else None,
        suggest(drift, tuned=TUNED),
    )
    _write(name, request, found, folder)
    if scores:
        report(
            score_table(
                scores, title=f"test{request.preset_suffix}", split="test", base=request.base, width=_CONSOLE_WIDTH
            )
        )
    if found.superb:
        report(_superb_table(request, found.superb))
    if drift:
        report(drift_table(drift))
    return _result(request, found, folder)


def _first_metrics(request: Request) -> dict[str, str]:
    return {job.task.name: job.task.metrics[0].name for job in request.jobs}


def _write(name: str, request: Request, found: _Findings, folder: Path) -> None:
    document = evaluation_document(
        name=name,
        scores=found.scores,
        first_metrics=_first_metrics(request),
        base=request.base,
        anchors=_ANCHORS,
        breakdowns=_breakdowns(request, found.recommendation, folder),
        superb=_superb_table(request, found.superb) if found.superb else None,
        encoders=[
            EncoderFacts(
                each.label,
                None if each.alpha is None else alpha_name(each.alpha),
                each.origin,
                request.hashes[each.label],
            )
            for each in request.candidates
        ],
        tasks=[_task_facts(job) for job in request.jobs],
        recommendation=found.recommendation,
        drift=found.drift,
        suggestion=found.suggestion,
        facts={
            "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "speechft": __version__,
            "torch": torch.__version__,
            "Python": platform.python_version(),
            "device": str(request.device),
            "threads": str(torch.get_num_threads()),
            "encoder families": ", ".join(dict.fromkeys(request.kinds.values())),
            "seed": str(request.seed),
            "data": str(request.data),
            "target": f"{', '.join(request.target) or 'none'} ({request.target_source})",
            "manifests (SHA-256)": request.keeping.manifest_hash,
        },
    )
    stem = _stem(request)
    figures = f"{stem}-figures"
    with atomic_folder(folder / figures) as unfinished:
        for picture in document.pictures:
            (unfinished / f"{picture.name}.png").write_bytes(picture.png)
    write_text(folder / f"{stem}.md", to_markdown(document, figures=figures))
    write_text(folder / f"{stem}.html", to_html(document))


def _breakdowns(request: Request, recommendation: Recommendation | None, folder: Path) -> list[Breakdown]:
    """Scores of base, tuned and recommended encoder by class or, where a target is a sequence, by speaker."""
    wanted = [request.base, TUNED, recommendation.label if recommendation else None]
    labels = [label for label in dict.fromkeys(wanted) if label in request.hashes]
    found = []
    for job in request.jobs:
        task = job.task
        groups = {
            each.id: target if task.is_pooled else each.speaker
            for part in job.per_fold()
            for each, target in zip(part.splits.splits["test"], part.targets("test"), strict=True)
        }
        paths = {label: predictions_path(folder, task.name, request.hashes[label]) for label in labels if label}
        found.append(
            break_down(
                {label: read_predictions(path) for label, path in paths.items()},
                groups,
                task=task.name,
                kind="class" if task.is_pooled else "speaker",
                metric=task.metrics[0],
                score=task.score,
            )
        )
    return [each for each in found if each is not None]


def _superb_table(request: Request, superb: Mapping[str, SuperbScore]) -> Table:
    table = superb_table(superb, request.constants, base=request.base)
    return replace(table, title=table.title + request.preset_suffix)


def _task_facts(job: ProbeJob) -> TaskFacts:
    rule = RULES[next(iter(job.folds.values())).rule]
    return TaskFacts(
        name=job.task.name,
        rule=rule if job.fold_field is None else f"folds by {job.fold_field}: {rule}",
        folds={
            name: SplitFacts(
                utterances={split: len(members) for split, members in splits.splits.items()},
                seconds={split: splits.duration(split) for split in splits.splits},
                left_out=splits.left_out,
                from_train=splits.from_train,
            )
            for name, splits in job.folds.items()
        },
        steps=job.steps,
        batch_size=job.batch_size,
        learning_rates=job.learning_rates,
        crop_seconds=job.crop_seconds,
        preset=(job.preset, PRESETS.get(job.preset).text),
        reading=None if job.reading is None else job.reading.name,
    )


def _result(request: Request, found: _Findings, folder: Path) -> Result:
    recommendation, suggestion = found.recommendation, found.suggestion
    encoders = amount(len(request.candidates), "encoders")
    parts = [
        f"{encoders} × {amount(len(request.jobs), 'tasks')} scored{request.preset_suffix}"
        if found.scores
        else f"drift of {encoders}"
    ]
    best = guess = None
    if recommendation is not None:
        parts.append(f"best merged encoder by dev: {recommendation.label or 'none'}")
        best = _plain(recommendation) | {"options": [_plain(each) for each in recommendation.options]}
    if suggestion is not None:
        guess = _plain(suggestion)
        if recommendation is None:
            parts.append(f"to try by drift: {suggestion.label}")
    page = folder / f"{_stem(request)}.html"
    return Result(
        summary="; ".join(parts),
        output=str(page),
        data={
            "scores": [asdict(score) for score in found.scores],
            "superb_scores": {label: asdict(score) for label, score in found.superb.items()},
            "drift": [asdict(line) for line in found.drift],
            "recommended": best,
            "suggested": guess,
            "report": str(page),
            "scores_file": str(folder / "scores.jsonl") if found.scores else None,
            "drift_file": str(folder / "drift.jsonl") if found.drift else None,
        },
    )


def _plain(choice: Option | Recommendation | Suggestion) -> dict[str, object]:
    """As JSON has it: an alpha is a number."""
    return {**asdict(choice), "alpha": None if choice.alpha is None else float(choice.alpha)}


def _stem(request: Request) -> str:
    return "report" if request.jobs else "drift"
