"""What an evaluation has scored so far, on disk after each pair of encoder and task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechft_cli.config.alphas import alpha_name
from speechft_cli.engines.evaluate_request import Request
from speechft_cli.io.atomic import write_text
from speechft_cli.probing.evaluation import Outcome, ProbeJob
from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.scores import PROTOCOL, Score, read_scores, write_scores


class ScoreBook:
    """scores.jsonl of one folder, and what a request still lacks in it."""

    def __init__(self, request: Request, folder: Path) -> None:
        """Reads what is there; a score counts when its weights, manifests, seed and settings are those asked for."""
        self._request = request
        self._folder = folder
        self.path = folder / "scores.jsonl"
        before = read_scores(self.path)
        self._done = _finished(request, before)
        # other encoders and other tasks on the same data stay; a label never stands for two encoders in one file
        asked = {job.task.name for job in request.jobs}
        self._kept = [
            score
            for score in before
            if score.manifest_hash == request.manifest_hash
            and (
                score.label not in request.hashes
                or (score.task not in asked and request.hashes[score.label] == score.weights_hash)
            )
        ]

    def lacks(self, weights_hash: str, job: ProbeJob) -> bool:
        """Whether an encoder has still to be probed on a task."""
        return (weights_hash, job.task.name) not in self._done

    def add(self, weights_hash: str, job: ProbeJob, outcome: Outcome) -> None:
        """Takes what the probes of an encoder came to, and writes it.

        Raises:
            SpeechftError: It can't be written.
        """
        self._done[weights_hash, job.task.name] = _scores(weights_hash, job, outcome, seed=self._request.seed)
        name = f"{job.task.name}-{weights_hash[:16]}.jsonl"
        write_text(self._folder / "predictions" / name, "".join(_prediction_lines(job, outcome)))
        self.write()

    def scores(self) -> list[Score]:
        """Returns what is done, for every label: the same weights under two labels were scored once."""
        return [
            replace(
                score,
                label=candidate.label,
                alpha=None if candidate.alpha is None else alpha_name(candidate.alpha),
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
        write_scores(self.path, [*self.scores(), *self._kept])


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
        "learning_rates": list(job.learning_rates),
        "extensions": job.extensions,
        "seeds": len(job.seeds),
        "crop_seconds": job.crop_seconds,
        "batching": job.batching,
        "precision": job.precision,
    }


def _finished(request: Request, before: Sequence[Score]) -> dict[tuple[str, str], list[Score]]:
    """Returns (weights hash, task) → scores of the pairs of which all scores are there, made in the same way."""
    done = {}
    for _, digest, job in request.pairs:
        same: dict[tuple[str, str], Score] = {}
        for score in before:
            if (
                (score.weights_hash, score.task, score.manifest_hash) == (digest, job.task.name, job.manifest_hash)
                and score.seed == request.seed
                and score.settings == settings_of(job)
            ):
                same.setdefault((score.split, score.metric), score)
        wanted = [(split, metric.name) for split in ("dev", "test") for metric in job.task.metrics]
        if all(each in same for each in wanted):
            done[digest, job.task.name] = [same[each] for each in wanted]
    return done


def _scores(weights_hash: str, job: ProbeJob, outcome: Outcome, *, seed: int) -> list[Score]:
    swept = outcome.swept
    return [
        Score(
            label="",  # whoever asks gives it one
            weights_hash=weights_hash,
            alpha=None,
            method=None,
            task=job.task.name,
            preset=job.preset,
            split=split,
            metric=metric.name,
            title=metric.title,
            value=sum(values) / len(values),
            interval=half_width(values),
            values=values,
            seeds=job.seeds,
            unit=metric.unit,
            better=metric.better,
            learning_rate=swept.learning_rate,
            layer=swept.layer,
            tried=swept.tried,
            is_edge=swept.is_edge,
            steps=tuple(probe.step for probe in swept.probes),
            seed=seed,
            utterances=len(job.splits.splits[split]),
            manifest_hash=job.manifest_hash,
            settings=settings_of(job),
        )
        for split, measured in (("dev", outcome.dev), ("test", outcome.test))
        for metric in job.task.metrics
        for values in [_values(measured, metric.name)]
    ]


def _values(measured: Sequence[Mapping[str, float]], metric: str) -> tuple[float, ...]:
    return tuple(each[metric] for each in measured)


def _prediction_lines(job: ProbeJob, outcome: Outcome) -> list[str]:
    """One line per test utterance: what it is, and what the probe of each seed took it for."""
    return [
        json.dumps({"id": utterance.id, "target": target, "predictions": list(predicted)}, ensure_ascii=False) + "\n"
        for utterance, target, *predicted in zip(
            job.splits.splits["test"], job.targets("test"), *outcome.predictions, strict=True
        )
    ]
