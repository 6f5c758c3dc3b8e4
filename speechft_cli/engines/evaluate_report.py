"""What an evaluation says in the end: report.md, report.html, its pictures, the tables of a console, the result."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from speechft_cli import __version__
from speechft_cli.config.alphas import alpha_name
from speechft_cli.data.task_splits import RULES
from speechft_cli.engines.evaluate_request import Request
from speechft_cli.events import Report, Result, Table
from speechft_cli.io.atomic import atomic_path, write_text
from speechft_cli.probing.candidates import BASE, TUNED
from speechft_cli.probing.evaluation import ProbeJob
from speechft_cli.reporting.document import Figure, to_html, to_markdown
from speechft_cli.reporting.drift import Drift, drift_table
from speechft_cli.reporting.evaluation_report import EncoderFacts, TaskFacts, evaluation_document
from speechft_cli.reporting.plots import draw_alpha_curves, panels
from speechft_cli.reporting.recommendation import Option, Recommendation, recommend
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.suggestion import Suggestion, suggest
from speechft_cli.reporting.superb.score import SuperbScore
from speechft_cli.reporting.superb.table import superb_scores, superb_table
from speechft_cli.reporting.tables import score_table
from speechft_cli.tasks.presets import PRESETS

_CURVES = "alpha-curves.png"
_ANCHORS = {BASE: 0.0, TUNED: 1.0}
_CONSOLE_WIDTH = 80


def report_on(
    name: str, request: Request, scores: Sequence[Score], drift: Sequence[Drift], folder: Path, report: Report
) -> Result:
    """Writes report.md, report.html and alpha-curves.png, shows the tables, and sums up.

    Drift alone is reported in drift.md and drift.html, so that an evaluation's report in the same folder stays.

    Args:
        name: Of the experiment.
        request: What was asked for.
        scores: All that came out, in the order of rows and columns; none when only drift was measured.
        drift: How far the encoders have moved.
        folder: Where to write.
        report: Gets the tables of test scores and SUPERB scores.
    """
    first = _first_metrics(scores, request)
    recommendation = recommend(first, base=request.base, target=request.target) if request.base else None
    suggestion = suggest(drift, tuned=TUNED)
    superb = superb_scores(scores, request.constants, split="test")
    _write(name, request, scores, drift, superb, recommendation, suggestion, folder)
    if scores:
        report(
            score_table(
                scores, title=f"test{request.preset_suffix}", split="test", base=request.base, width=_CONSOLE_WIDTH
            )
        )
    if superb:
        report(_superb_table(request, superb))
    if drift:
        report(drift_table(drift))
    return _result(request, scores, drift, superb, recommendation, suggestion, folder)


def _first_metrics(scores: Sequence[Score], request: Request) -> list[Score]:
    first = {job.task.name: job.task.metrics[0].name for job in request.jobs}
    return [score for score in scores if score.metric == first[score.task]]


def _write(
    name: str,
    request: Request,
    scores: Sequence[Score],
    drift: Sequence[Drift],
    superb: Mapping[str, SuperbScore],
    recommendation: Recommendation | None,
    suggestion: Suggestion | None,
    folder: Path,
) -> None:
    figure = None
    drawn = panels(_first_metrics(scores, request), anchors=_ANCHORS)
    if drawn:
        there = {each.label for each in request.candidates}
        png = draw_alpha_curves(drawn, anchors={label: at for label, at in _ANCHORS.items() if label in there})
        figure = Figure(_CURVES, "Scores over alpha, one panel per task; the tables above have the values", png)
        with atomic_path(folder / _CURVES) as unfinished:
            unfinished.write_bytes(png)
    elif request.jobs:
        (folder / _CURVES).unlink(missing_ok=True)  # an older run's curve is not this one's
    document = evaluation_document(
        name=name,
        scores=scores,
        base=request.base,
        superb=_superb_table(request, superb) if superb else None,
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
        recommendation=recommendation,
        drift=drift,
        suggestion=suggestion,
        figure=figure,
        facts={
            "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "speechft": __version__,
            "torch": torch.__version__,
            "Python": platform.python_version(),
            "device": str(request.device),
            "encoder family": request.family.name,
            "seed": str(request.seed),
            "data": str(request.data),
            "target": f"{', '.join(request.target) or 'none'} ({request.target_source})",
            "manifests (SHA-256)": request.manifest_hash,
        },
    )
    write_text(folder / f"{_stem(request)}.md", to_markdown(document))
    write_text(folder / f"{_stem(request)}.html", to_html(document))


def _superb_table(request: Request, superb: Mapping[str, SuperbScore]) -> Table:
    table = superb_table(superb, request.constants, base=request.base)
    return replace(table, title=table.title + request.preset_suffix)


def _task_facts(job: ProbeJob) -> TaskFacts:
    splits = job.splits
    return TaskFacts(
        name=job.task.name,
        rule=RULES[splits.rule],
        utterances={split: len(members) for split, members in splits.splits.items()},
        seconds={split: splits.duration(split) for split in splits.splits},
        left_out=splits.left_out,
        from_train=splits.from_train,
        steps=job.steps,
        batch_size=job.batch_size,
        learning_rates=job.learning_rates,
        crop_seconds=job.crop_seconds,
        preset=(job.preset, PRESETS.get(job.preset).text),
        reading=None if job.reading is None else job.reading.name,
    )


def _result(
    request: Request,
    scores: Sequence[Score],
    drift: Sequence[Drift],
    superb: Mapping[str, SuperbScore],
    recommendation: Recommendation | None,
    suggestion: Suggestion | None,
    folder: Path,
) -> Result:
    encoders = _count(len(request.candidates), "encoder")
    parts = [
        f"{encoders} × {_count(len(request.jobs), 'task')} scored{request.preset_suffix}"
        if scores
        else f"drift of {encoders}"
    ]
    best = guess = None
    if recommendation is not None:
        alpha = None if recommendation.alpha is None else alpha_name(recommendation.alpha)
        parts.append(f"best alpha by dev: {alpha or 'none'}")
        best = {**asdict(recommendation), "alpha": alpha, "options": [_plain(each) for each in recommendation.options]}
    if suggestion is not None:
        guess = {**asdict(suggestion), "alpha": alpha_name(suggestion.alpha)}
        if recommendation is None:
            parts.append(f"alpha to try by drift: {guess['alpha']}")
    page = folder / f"{_stem(request)}.html"
    return Result(
        summary="; ".join(parts),
        output=str(page),
        data={
            "scores": [asdict(score) for score in scores],
            "superb_scores": {label: asdict(score) for label, score in superb.items()},
            "drift": [asdict(line) for line in drift],
            "recommended": best,
            "suggested": guess,
            "report": str(page),
            "scores_file": str(folder / "scores.jsonl") if scores else None,
            "drift_file": str(folder / "drift.jsonl") if drift else None,
        },
    )


def _plain(option: Option) -> dict[str, object]:
    return {**asdict(option), "alpha": None if option.alpha is None else alpha_name(option.alpha)}


def _stem(request: Request) -> str:
    return "report" if request.jobs else "drift"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
