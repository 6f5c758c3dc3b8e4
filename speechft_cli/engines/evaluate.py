"""Frozen encoders × tasks → scores, curves and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines.drift import DriftJob, measure_drift
from speechft_cli.engines.evaluate_report import report_on
from speechft_cli.engines.evaluate_request import Request, read_request
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report, Result
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import locked
from speechft_cli.probing.candidates import Candidate, read_candidate
from speechft_cli.probing.evaluation import FrozenEncoder, ProbeJob, evaluate
from speechft_cli.probing.features import MEMORY_BUDGET, HiddenStates
from speechft_cli.probing.probe import ProbeOutcome
from speechft_cli.reporting.drift import Drift
from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.scores import PROTOCOL, Score, read_scores, write_scores

#: (weights hash, task) → its scores, under whatever label.
_Done = dict[tuple[str, str], list[Score]]


def run(config: Config, report: Report) -> Result:
    """Scores frozen encoders on tasks and writes scores.jsonl, report.md, report.html and alpha-curves.png.

    Pairs of encoder and task that scores.jsonl already has, with the same weights, manifests and settings, are not
    trained again. It is written after each pair, so an interrupted run goes on where it was.

    Raises:
        RequestError: An encoder, a task or the data can't be used; nothing was written.
        SpeechftError: A recording can't be read, or the folder can't be written to.
    """
    request = read_request(config, report)
    folder = config.evaluate_dir
    with locked(folder):
        drift = _drift(request, folder, report) if request.drift else []
        scores = _evaluate(request, folder, report) if request.jobs else []
        return report_on(config.name, request, scores, drift, folder, report)


def _drift(request: Request, folder: Path, report: Report) -> list[Drift]:
    job = DriftJob(
        candidates=request.candidates,
        hashes=request.hashes,
        utterances=request.drift,
        read=lambda each: read_candidate(each, request.family, base=request.base_path),
        device=request.device,
    )
    return measure_drift(job, folder / "drift.jsonl", report)


def _evaluate(request: Request, folder: Path, report: Report) -> list[Score]:
    path = folder / "scores.jsonl"
    before = read_scores(path)
    done = _finished(request, before)
    # other encoders and other tasks on the same data stay; a label never stands for two encoders in one file
    asked = {job.task.name for job in request.jobs}
    kept = [
        score
        for score in before
        if score.manifest_hash == request.manifest_hash
        and (
            score.label not in request.hashes
            or (score.task not in asked and request.hashes[score.label] == score.weights_hash)
        )
    ]
    reused = sum((digest, job.task.name) in done for _, digest, job in request.pairs)
    if reused:
        report(Note(f"{reused} of {len(request.pairs)} pairs of encoder and task are taken from {path}"))
    frozen: FrozenEncoder | None = None
    for candidate, digest, job in request.pairs:
        if (digest, job.task.name) in done:
            continue
        if frozen is None or frozen.label != candidate.label:
            frozen = None  # its hidden states may fill the memory
            frozen = _load(candidate, digest, request)
        outcome = evaluate(frozen, job, device=request.device, cache=folder / "cache", report=report)
        done[digest, job.task.name] = _scores(candidate, digest, job, outcome, seed=request.seed)
        write_scores(path, [*_labelled(request, done), *kept])
    scores = _labelled(request, done)
    write_scores(path, [*scores, *kept])
    return scores


def _load(candidate: Candidate, digest: str, request: Request) -> FrozenEncoder:
    checkpoint = read_candidate(candidate, request.family, base=request.base_path)
    encoder = build_encoder(checkpoint, device=request.device)
    if weights_hash(encoder.weights()) != digest:
        raise RequestError(f"{candidate.path}: has changed since this run began", "wait for it to be done, then rerun")
    # only sequence tasks come back to hidden states
    budget = 0 if all(job.task.is_pooled for job in request.jobs) else MEMORY_BUDGET
    return FrozenEncoder(candidate.label, encoder, digest, HiddenStates(encoder, budget=budget))


def _finished(request: Request, before: Sequence[Score]) -> _Done:
    """Returns the pairs that need not be done again: all their scores are there, made in the same way."""
    done: _Done = {}
    for _, digest, job in request.pairs:
        same: dict[tuple[str, str], Score] = {}
        for score in before:
            if (
                (score.weights_hash, score.task, score.manifest_hash) == (digest, job.task.name, job.manifest_hash)
                and score.seed == request.seed
                and score.settings == _settings(job)
            ):
                same.setdefault((score.split, score.metric), score)
        wanted = [(split, metric.name) for split in ("dev", "test") for metric in job.task.metrics]
        if all(each in same for each in wanted):
            done[digest, job.task.name] = [same[each] for each in wanted]
    return done


def _settings(job: ProbeJob) -> dict[str, object]:
    return {
        "protocol": PROTOCOL,
        "steps": job.steps,
        "learning_rates": list(job.learning_rates),
        "crop_seconds": job.crop_seconds,
    }


def _scores(candidate: Candidate, digest: str, job: ProbeJob, outcome: ProbeOutcome, *, seed: int) -> list[Score]:
    return [
        Score(
            label=candidate.label,
            weights_hash=digest,
            alpha=None,
            method=None,
            task=job.task.name,
            preset="default",
            split=split,
            metric=metric.name,
            title=metric.title,
            value=values[metric.name],
            interval=half_width([values[metric.name]]),
            values=(values[metric.name],),
            seeds=(job.seed,),
            unit=metric.unit,
            better=metric.better,
            learning_rate=outcome.learning_rate,
            tried=(),
            is_edge=False,
            steps=(outcome.step,),
            seed=seed,
            utterances=len(job.splits.splits[split]),
            manifest_hash=job.manifest_hash,
            settings=_settings(job),
        )
        for split, values in (("dev", outcome.dev), ("test", outcome.test))
        for metric in job.task.metrics
    ]


def _labelled(request: Request, done: _Done) -> list[Score]:
    """Returns what is done so far, for every label: the same weights under two labels were scored once."""
    return [
        replace(score, label=candidate.label, alpha=None if candidate.alpha is None else alpha_name(candidate.alpha))
        for candidate, digest, job in request.pairs
        for score in done.get((digest, job.task.name), [])
    ]
