"""Frozen encoders × tasks → scores, curves and a report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.engines.device import with_memory
from speechft_cli.engines.evaluate.drift import DriftJob, measure_drift
from speechft_cli.engines.evaluate.report import report_on
from speechft_cli.engines.evaluate.request import Request, read_request
from speechft_cli.engines.evaluate.scores import ScoreBook
from speechft_cli.engines.evaluate.work import Work, do_work
from speechft_cli.engines.own_torch import own_torch
from speechft_cli.engines.stopping import stoppable
from speechft_cli.events import Note, Report, Result, ignore
from speechft_cli.io.lock import locked
from speechft_cli.probing.candidates import read_candidate
from speechft_cli.reporting.drift import Drift
from speechft_cli.training.ranks import joined

#: The others wait while the first process trains the probes of sequence tasks.
_PATIENCE = timedelta(days=30)

_STOPPED = "interrupted; what was encoded and scored is kept, and the same command goes on from there"


def run(config: Config, report: Report) -> Result:
    """Scores frozen encoders on tasks and writes scores.jsonl, drift.jsonl, report.md and report.html.

    Pairs of encoder and task that scores.jsonl already has, with the same weights, manifests and settings, are not
    trained again, and what was encoded is not encoded again. scores.jsonl is written after each pair, so an
    interrupted run goes on where it was. Under torchrun all processes share the encoding.

    Raises:
        RequestError: An encoder, a task or the data can't be used; nothing was written.
        SpeechftError: A recording can't be read, or the folder can't be written to.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP arrived.
    """
    folder = config.evaluate_dir
    with own_torch(), stoppable(_STOPPED), joined(patience=_PATIENCE) as ranks:
        report = report if ranks.is_first else ignore
        with ranks.agreed():  # the first says what is wrong before a launcher ends it because another has ended
            request = read_request(config, report)
        report = with_memory(report, request.device)
        if not ranks.is_first:
            book = ScoreBook(request, folder)
            do_work(_to_do(request, book), request, ranks=ranks, tell=book.add, report=report)
            return Result(f"rank {ranks.rank} of {ranks.world}: encoded its share", str(folder))
        with locked(folder, report):
            book = ScoreBook(request, folder)
            lacking = sum(book.lacks(digest, job) for _, digest, job in request.pairs)
            if lacking < len(request.pairs):
                reused = len(request.pairs) - lacking
                report(Note(f"{reused} of {len(request.pairs)} pairs of encoder and task are taken from {book.path}"))
            do_work(_to_do(request, book), request, ranks=ranks, tell=book.add, report=report)
            if request.jobs:
                book.write()
            drift = _drift(request, folder, report) if request.drift else []
            return report_on(config.name, request, book.scores(), drift, folder, report)


def _drift(request: Request, folder: Path, report: Report) -> list[Drift]:
    job = DriftJob(
        candidates=[each for each in request.candidates if each.baseline is None],
        hashes=request.hashes,
        configurations=request.configurations,
        utterances=request.drift,
        read=lambda each: read_candidate(each, request.likely_family, base=request.base_path),
        device=request.device,
        keeping=request.keeping,
    )
    return measure_drift(job, folder / "drift.jsonl", report)


def _to_do(request: Request, book: ScoreBook) -> list[Work]:
    """Returns the encoders that lack a score, each once, whatever labels its weights have."""
    unique = {request.hashes[each.label]: each for each in reversed(request.candidates)}
    work = [
        Work(unique[digest], digest, tuple(job for job in request.jobs if book.lacks(digest, job)))
        for digest in dict.fromkeys(request.hashes[each.label] for each in request.candidates)
    ]
    return [each for each in work if each.jobs]
