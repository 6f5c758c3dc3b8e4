"""What an evaluation says in the end: report.md, report.html, its pictures, the tables of a console, the result."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from speechft_cli import __version__
from speechft_cli.config.alphas import alpha_name
from speechft_cli.data.task_splits import RULES
from speechft_cli.engines.evaluate_request import Request
from speechft_cli.events import Report, Result
from speechft_cli.io.atomic import atomic_path, write_text
from speechft_cli.probing.candidates import BASE, TUNED
from speechft_cli.probing.evaluation import ProbeJob
from speechft_cli.reporting.document import Figure, to_html, to_markdown
from speechft_cli.reporting.evaluation_report import EncoderFacts, TaskFacts, evaluation_document
from speechft_cli.reporting.plots import draw_alpha_curves, panels
from speechft_cli.reporting.recommendation import Recommendation, recommend
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.superb.score import SuperbScore
from speechft_cli.reporting.superb.table import superb_scores, superb_table
from speechft_cli.reporting.tables import score_table

_CURVES = "alpha-curves.png"
_ANCHORS = {BASE: 0.0, TUNED: 1.0}
_CONSOLE_WIDTH = 80


def report_on(name: str, request: Request, scores: Sequence[Score], folder: Path, report: Report) -> Result:
    """Writes report.md, report.html and alpha-curves.png, shows the tables, and sums up.

    Args:
        name: Of the experiment.
        request: What was asked for.
        scores: All that came out, in the order of rows and columns.
        folder: Where to write.
        report: Gets the tables of test scores and SUPERB scores.
    """
    recommendation = None if request.base is None else recommend(_first_metrics(scores, request), base=request.base)
    superb = superb_scores(scores, request.constants, split="test")
    _write(name, request, scores, superb, recommendation, folder)
    report(score_table(scores, title="test", split="test", base=request.base, width=_CONSOLE_WIDTH))
    if superb:
        report(superb_table(superb, request.constants, base=request.base))
    return _result(request, scores, superb, recommendation, folder)


def _first_metrics(scores: Sequence[Score], request: Request) -> list[Score]:
    first = {job.task.name: job.task.metrics[0].name for job in request.jobs}
    return [score for score in scores if score.metric == first[score.task]]


def _write(
    name: str,
    request: Request,
    scores: Sequence[Score],
    superb: Mapping[str, SuperbScore],
    recommendation: Recommendation | None,
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
    else:
        (folder / _CURVES).unlink(missing_ok=True)  # an older run's curve is not this one's
    document = evaluation_document(
        name=name,
        scores=scores,
        base=request.base,
        superb=superb_table(superb, request.constants, base=request.base) if superb else None,
        encoders=[
            EncoderFacts(
                each.label,
                None if each.alpha is None else alpha_name(each.alpha),
                str(each.path),
                request.hashes[each.label],
            )
            for each in request.candidates
        ],
        tasks=[_task_facts(job) for job in request.jobs],
        recommendation=recommendation,
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
            "manifests (SHA-256)": request.manifest_hash,
        },
    )
    write_text(folder / "report.md", to_markdown(document))
    write_text(folder / "report.html", to_html(document))


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
        learning_rates=job.learning_rates,
        crop_seconds=job.crop_seconds,
    )


def _result(
    request: Request,
    scores: Sequence[Score],
    superb: Mapping[str, SuperbScore],
    recommendation: Recommendation | None,
    folder: Path,
) -> Result:
    counts = f"{_count(len(request.candidates), 'encoder')} × {_count(len(request.jobs), 'task')} scored"
    best = None
    if recommendation is not None:
        alpha = alpha_name(recommendation.alpha)
        counts += (
            f"; best alpha by dev: {alpha} (mean over tasks of the relative gain over base: {recommendation.gain:+.1%})"
        )
        best = {"alpha": alpha, "label": recommendation.label, "gain": recommendation.gain}
    return Result(
        summary=counts,
        output=str(folder / "report.html"),
        data={
            "scores": [asdict(score) for score in scores],
            "superb_scores": {label: asdict(score) for label, score in superb.items()},
            "recommended": best,
            "report": str(folder / "report.html"),
            "scores_file": str(folder / "scores.jsonl"),
        },
    )


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
