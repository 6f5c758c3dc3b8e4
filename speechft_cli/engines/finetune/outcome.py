"""What a finished fine-tuning run has come to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from speechft_cli.encoders.formats import read_encoder
from speechft_cli.engines.finetune.request import FinetuneRequest
from speechft_cli.events import Result
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import read_run
from speechft_cli.training.best import best_scores


def best_outputs(request: FinetuneRequest, folder: Path) -> dict[str, object]:
    """Returns what run.json says of the best checkpoint."""
    task = request.checked[0].job.task
    best = read_encoder(folder / "best" / "encoder.pt", request.base.family)
    step, scores = best_scores(folder / "best", task.name, task.metrics[0])
    return {"best": {"step": step, "dev": scores, "weights_sha256": weights_hash(best.weights)}}


def run_result(request: FinetuneRequest, folder: Path) -> Result:
    """Returns what the command says in the end, from the finished run folder."""
    task = request.checked[0].job.task
    metric = task.metrics[0]
    step, scores = best_scores(folder / "best", task.name, metric)
    recorded = cast("Mapping[str, object]", read_run(folder)["base"])
    base = str(recorded.get("name") or recorded["path"])
    return Result(
        summary=f"best dev {metric.title} {metric.format(scores[metric.name])} at step {step}",
        output=str(folder),
        next_command=shlex.join(["speechft", "merge", "--base", base, "--tuned", str(folder), "--alphas", "0:1:0.25"]),
        data={"task": task.name, "step": step, "dev": scores, "best": str(folder / "best")},
    )
