"""What a fine-tuning run writes down about itself: run.json, metrics.jsonl, TensorBoard."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch.utils.tensorboard import SummaryWriter

from speechft_cli import __version__
from speechft_cli.config.schema import Config
from speechft_cli.encoders.local import named_facts
from speechft_cli.engines.finetune_request import FinetuneRequest
from speechft_cli.events import TrainingStep
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.lineage import lineage
from speechft_cli.io.run_folder import MetricsLog
from speechft_cli.training.ranks import Ranks


class Diary:
    """metrics.jsonl and TensorBoard events of a run."""

    def __init__(self, folder: Path, *, resume_at: int) -> None:
        """Opens both; what they say of updates after `resume_at` belongs to work that is about to be done again."""
        self._lines = MetricsLog(folder / "metrics.jsonl", resume_at=resume_at)
        self._board = SummaryWriter(folder / "tensorboard", purge_step=resume_at + 1 if resume_at else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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

    def scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Notes dev scores."""
        self._lines.append({"step": step, **{f"dev_{name}": value for name, value in _finite(scores).items()}})
        self._draw("dev", scores, step)

    def _draw(self, group: str, numbers: Mapping[str, float], step: int) -> None:
        for name, value in _finite(numbers).items():
            self._board.add_scalar(f"{group}/{name}", value, step)


def run_record(
    config: Config, request: FinetuneRequest, folder: Path, ranks: Ranks, device: torch.device
) -> dict[str, object]:
    """Returns what run.json says of a run that begins."""
    base = request.base
    path = (base.path or folder / "base" / "encoder.pt").resolve()
    return {
        "speechft": __version__,
        "torch": torch.__version__,
        "command": sys.argv,
        "task": request.tasks[0] if len(request.tasks) == 1 else request.tasks,
        "strategy": request.strategy.name,
        "family": base.family.name,
        "seed": config.seed,
        "device": str(device),
        "ranks": ranks.world,
        "data": {"path": str(request.data), "sha256": request.data_sha256},
        "base": {
            "path": str(path),
            **named_facts(path),
            "sha256": file_hash(path),
            "weights_sha256": weights_hash(base.weights),
            "lineage": lineage(path),
        },
        "started": now(),
    }


def now() -> str:
    """Returns the time as run.json has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
