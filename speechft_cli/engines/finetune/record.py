"""What a fine-tuning run writes down about itself: run.json, metrics.jsonl, TensorBoard."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import yaml
from torch.utils.tensorboard import SummaryWriter

from speechft_cli import __version__
from speechft_cli.config.dotted import leaves
from speechft_cli.config.dump import config_yaml
from speechft_cli.encoders.local import named_facts
from speechft_cli.engines.finetune.request import FinetuneRequest
from speechft_cli.events import Report, TrainingStep
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.lineage import lineage
from speechft_cli.io.records import now
from speechft_cli.io.run_folder import MetricsLog
from speechft_cli.training.ranks import Ranks

if TYPE_CHECKING:  # who names no tracker waits for none
    from speechft_cli.training.trackers import Trackers


class Diary:
    """metrics.jsonl and TensorBoard events of a run, and what other trackers hear of it."""

    def __init__(self, folder: Path, *, resume_at: int, trackers: Trackers | None) -> None:
        """Opens both; what they say of updates after `resume_at` belongs to work that is about to be done again."""
        self._trackers = trackers
        self._lines = MetricsLog(folder / "metrics.jsonl", resume_at=resume_at)
        self._board = SummaryWriter(folder / "tensorboard", purge_step=resume_at + 1 if resume_at else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._board.close()

    def step(self, step: TrainingStep) -> None:
        """Notes one log step."""
        numbers = {
            "loss": step.loss,
            "learning_rate": step.learning_rate,
            "gradient_norm": step.gradient_norm,
            "audio_rate": step.audio_rate,
            "waiting": step.waiting,
            "skipped": step.skipped,
        }
        self._lines.append({"step": step.step, "stage": step.stage, **_finite(numbers)})
        self._draw("train", numbers, step.step)

    def scores(self, step: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Notes the dev scores of each task; among several a score's name begins with its task's."""
        own = {
            name if len(scores) == 1 else f"{task}_{name}": value
            for task, each in scores.items()
            for name, value in each.items()
        }
        self._lines.append({"step": step, **{f"dev_{name}": value for name, value in _finite(own).items()}})
        self._draw("dev", own, step)

    def _draw(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        named = {f"{group}/{name}": value for name, value in _finite(numbers).items()}
        for name, value in named.items():
            self._board.add_scalar(name, value, step)
        if self._trackers is not None:
            self._trackers.log(named, step)


def tracked_run(request: FinetuneRequest, folder: Path, report: Report) -> AbstractContextManager[Trackers | None]:
    """Starts the trackers that the config names; None without any.

    Raises:
        SpeechftError: One can't start.
    """
    names = request.section.trackers
    if not names:
        return contextlib.nullcontext()
    from speechft_cli.training.trackers import tracked

    settings = {
        key: value if isinstance(value, bool | int | float | str) else str(value)
        for key, value in leaves(yaml.safe_load(config_yaml(request.config)))
    }
    return tracked(names, project=request.config.name, folder=folder, settings=settings, report=report)


def run_record(request: FinetuneRequest, folder: Path, ranks: Ranks, device: torch.device) -> dict[str, object]:
    """Returns what run.json says of a run that begins."""
    base = request.base
    path = (base.path or folder / "base" / "encoder.pt").resolve()
    return {
        "speechft": __version__,
        "torch": torch.__version__,
        "command": sys.argv,
        "task": request.tasks[0] if len(request.tasks) == 1 else request.tasks,
        "labels": request.section.labels,
        "strategy": request.strategy.name,
        "family": base.family.name,
        "seed": request.config.seed,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "ranks": ranks.world,
        "data": {"path": str(request.data), "sha256": request.data_sha256},
        "base": {
            "path": str(path),
            **named_facts(path),
            "sha256": file_hash(path),
            "weights_sha256": weights_hash(base.weights),
            "configuration_sha256": base.configuration_hash,
            "lineage": lineage(path),
        },
        "started": now(),
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
