"""What an evaluation has scored so far, on disk after each pair of encoder and task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechft_cli.engines.evaluate.request import Request
from speechft_cli.io.atomic import write_text
from speechft_cli.probing.job import Outcome, ProbeJob, mean_over_folds
from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.json_lines import write_lines
from speechft_cli.reporting.scores import PROTOCOL, Fold, Score, read_scores
from speechft_cli.tasks.metrics import mean


class ScoreBook:
    """scores.jsonl of one folder, and what a request still lacks in it."""

    def __init__(self, request: Request, folder: Path) -> None:
        """Reads what is there; a score counts when encoder, manifests, seed and settings are those asked for."""
        self._request = request
        self._folder = folder
        self.path = folder / "scores.jsonl"
        before = read_scores(self.path)
        self._done = _finished(request, before)
        # scores of other encoders and of other tasks on the same data stay. Two things may not happen: a label that
        # stands for two encoders, and a task that is scored in two ways, as predictions/ has one file for each
        asked = {job.task.name: job for job in request.jobs}
        digests = set(request.hashes.values())
        self._kept = [
            score
            for score in before
            if score.manifest_hash == request.keeping.manifest_hash
            and (
                score.task not in asked
                or score.weights_hash not in digests
                or _is_as_asked(score, asked[score.task], request)
            )
            and (
                score.label not in request.hashes
                or (score.task not in asked and request.hashes[score.label] == score.weights_hash)
            )
        ]

    def lacks(self, weights_hash: str, job: ProbeJob) -> bool:
        """Whether an encoder has still to be probed on a task."""
        return (weights_hash, job.task.name) not in self._done

    def add(self, weights_hash: str, job: ProbeJob, outcomes: Sequence[Outcome]) -> str:
        """Takes what the probes of an encoder came to on each fold, writes it, and says how the task stands on dev.

        Raises:
            SpeechftError: It can't be written.
        """
        path = predictions_path(self._folder, job.task.name, weights_hash)
        if path.exists():
            self.write()  # without the pair: after a kill no older score of it stands beside newer predictions
        write_text(path, "".join(_prediction_lines(job, outcomes)))
        self._done[weights_hash, job.task.name] = _scores(self._request, weights_hash, job, outcomes)
        self.write()
        return self._standing(weights_hash, job)

    def scores(self) -> list[Score]:
        """Returns what is done, for every label: the same weights under two labels were scored once."""
        return [
            replace(
                score,
                label=candidate.label,
                alpha=None if candidate.alpha is None else float(candidate.alpha),
                method=candidate.method,
            )
            for candidate, digest, job in self._request.pairs
            for score in self._done.get((digest, job.task.name), [])
        ]

    def write(self) -> None:
        """Writes scores.jsonl whole or not at all.

        Raises:
            SpeechftError: It can't be written.
        """
        write_lines(self.path, [*self.scores(), *self._kept])

    def _standing(self, weights_hash: str, job: ProbeJob) -> str:
        metric = job.task.metrics[0]
        wanted = (job.task.name, "dev", metric.name)
        scores = [each for each in self.scores() if (each.task, each.split, each.metric) == wanted]
        last = next(each for each in scores if each.weights_hash == weights_hash)
        best = last
        for each in scores:
            best = each if metric.is_better(each.value, best.value) or math.isnan(best.value) else best
        return ", ".join(
            (
                f"{metric.title} dev of {last.label} {metric.format(last.value)}",
                f"best {best.label} {metric.format(best.value)}",
            )
        )


def predictions_path(folder: Path, task: str, weights_hash: str) -> Path:
    """Returns where an evaluation keeps what the probes of an encoder predict on a task's test split."""
    return folder / "predictions" / f"{task}-{weights_hash[:16]}.jsonl"


def settings_of(job: ProbeJob) -> dict[str, object]:
    """Returns what a score depends on besides weights, manifests and seed."""
    return {
        "protocol": PROTOCOL,
        "preset": job.preset,
        "reading": None if job.reading is None else job.reading.name,
        "steps": job.steps,
        "batch_size": job.batch_size,
        "evaluations": job.evaluations,
        "is_balanced": job.is_balanced,
        "needs": job.task.needs,
        "folds": job.fold_field,
        "learning_rates": list(job.learning_rates),
        "extensions": job.extensions,
        "seeds": len(job.seeds),
        "crop_seconds": job.crop_seconds,
        "batching": job.batching,
        "precision": job.precision,
    }


def _is_as_asked(score: Score, job: ProbeJob, request: Request) -> bool:
    """Whether a score of the job's task was made on its data and in its way, of whatever weights."""
    configuration = request.configurations.get(score.weights_hash, score.configuration)
    asked = (request.keeping.manifest_hash, request.seed, settings_of(job), configuration)
    return (score.manifest_hash, score.seed, score.settings, score.configuration) == asked


def _finished(request: Request, before: Sequence[Score]) -> dict[tuple[str, str], list[Score]]:
    """Returns (weights hash, task) → scores of the pairs of which all scores are there, made in the same way."""
    done = {}
    for _, digest, job in request.pairs:
        same: dict[tuple[str, str], Score] = {}
        for score in before:
            if (score.weights_hash, score.task) == (digest, job.task.name) and _is_as_asked(score, job, request):
                same.setdefault((score.split, score.metric), score)
        wanted = [(split, metric.name) for split in ("dev", "test") for metric in job.task.metrics]
        if all(each in same for each in wanted):
            done[digest, job.task.name] = [same[each] for each in wanted]
    return done


def _scores(request: Request, weights_hash: str, job: ProbeJob, outcomes: Sequence[Outcome]) -> list[Score]:
    is_folded = len(outcomes) > 1
    swept = None if is_folded else outcomes[0].swept
    return [
        Score(
            label="",  # `scores` gives it one
            weights_hash=weights_hash,
            configuration=request.configurations[weights_hash],
            alpha=None,
            method=None,
            task=job.task.name,
            preset=job.preset,
            split=split,
            metric=metric.name,
            title=metric.title,
            value=mean(values),
            interval=half_width(values),
            values=values,
            seeds=job.seeds,
            folds=_folds(job, outcomes, split, metric.name) if is_folded else (),
            unit=metric.unit,
            better=metric.better,
            learning_rate=swept.learning_rate if swept else None,
            layer=swept.layer if swept else None,
            tried=swept.tried if swept else (),
            is_edge=any(each.swept.is_edge for each in outcomes),
            steps=tuple(probe.step for probe in swept.probes) if swept else (),
            seed=request.seed,
            utterances=sum(len(part.splits.splits[split]) for part in job.per_fold()),
            manifest_hash=request.keeping.manifest_hash,
            settings=settings_of(job),
        )
        for split in ("dev", "test")
        for metric in job.task.metrics
        for values in [mean_over_folds([_measured(each, split) for each in outcomes], metric.name)]
    ]


def _folds(job: ProbeJob, outcomes: Sequence[Outcome], split: str, metric: str) -> tuple[Fold, ...]:
    return tuple(
        Fold(
            name=part.fold,
            values=mean_over_folds([_measured(each, split)], metric),
            learning_rate=each.swept.learning_rate,
            tried=each.swept.tried,
            is_edge=each.swept.is_edge,
            steps=tuple(probe.step for probe in each.swept.probes),
            utterances=len(part.splits.splits[split]),
        )
        for part, each in zip(job.per_fold(), outcomes, strict=True)
    )


def _measured(outcome: Outcome, split: str) -> Sequence[Mapping[str, float]]:
    return outcome.dev if split == "dev" else outcome.test


def _prediction_lines(job: ProbeJob, outcomes: Sequence[Outcome]) -> list[str]:
    """One line per test utterance: what it is, and what the probe of each seed took it for; of folds, which one."""
    return [
        json.dumps(
            {"id": utterance.id, **fold, "target": target, "predictions": list(predicted)},
            ensure_ascii=False,
        )
        + "\n"
        for part, outcome in zip(job.per_fold(), outcomes, strict=True)
        for fold in [{"fold": part.fold} if part.fold else {}]
        for utterance, target, *predicted in zip(
            part.splits.splits["test"], part.targets("test"), *outcome.predictions, strict=True
        )
    ]
