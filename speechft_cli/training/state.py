"""Everything a run must remember to go on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.data.batches import Position
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import Encoder
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_folder, write_json
from speechft_cli.io.checkpoints import read_checkpoint
from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.training.freezing import trainable_parameters


@dataclass
class TrainingState:
    """The state of a run between two updates.

    Attributes:
        encoder: The encoder being fine-tuned.
        head: The task's head, thrown away in the end.
        optimizer: Adam over the head and the encoder's trainable parameters.
        step: Updates made.
        position: The next batch.
        best: Dev scores of the best checkpoint so far.
    """

    encoder: Encoder
    head: nn.Module
    optimizer: torch.optim.Adam
    step: int = 0
    position: Position = field(default_factory=Position)
    best: dict[str, float] | None = None


def new_state(encoder: Encoder, head: nn.Module, *, learning_rate: float) -> TrainingState:
    """Returns the state before the first update."""
    parameters = [*head.parameters(), *trainable_parameters(encoder)]
    return TrainingState(encoder, head, torch.optim.Adam(parameters, lr=learning_rate))


def save_last(state: TrainingState, folder: Path, base: EncoderCheckpoint) -> None:
    """Writes `folder` whole or not at all: the encoder in s3prl's layout, and the rest in `state.pt`.

    Args:
        state: What to write.
        folder: Replaced when it exists.
        base: Where the encoder came from; brings the configuration.
    """
    with atomic_folder(folder) as unfinished:
        converted.write(_checkpoint(state, base), unfinished / "encoder.pt")
        rest: dict[str, object] = {
            "head": state.head.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "step": state.step,
            "position": list(state.position),
            "best": state.best,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        torch.save(rest, unfinished / "state.pt")


def save_best(
    state: TrainingState,
    folder: Path,
    base: EncoderCheckpoint,
    *,
    vocabulary: Vocabulary,
    scores: Mapping[str, float],
    metrics: tuple[Metric, ...],
) -> None:
    """Writes `folder` whole or not at all: encoder, head, its classes, and the dev scores that made it the best."""
    with atomic_folder(folder) as unfinished:
        converted.write(_checkpoint(state, base), unfinished / "encoder.pt")
        torch.save(state.head.state_dict(), unfinished / "head.pt")
        write_json(
            unfinished / "head.json",
            {
                "step": state.step,
                "vocabulary": list(vocabulary.symbols),
                "dev": {metric.name: scores[metric.name] for metric in metrics},
            },
        )


def restore(state: TrainingState, folder: Path) -> None:
    """Brings `state` and the global random state back to what `save_last` wrote; the encoder is loaded already."""
    rest = read_checkpoint(folder / "state.pt")
    state.head.load_state_dict(cast("dict[str, Tensor]", rest["head"]))
    state.optimizer.load_state_dict(cast("dict[str, object]", rest["optimizer"]))
    state.step = cast(int, rest["step"])
    state.position = Position(*cast("list[int]", rest["position"]))
    state.best = cast("dict[str, float] | None", rest["best"])
    torch.set_rng_state(cast(Tensor, rest["random"]))
    if torch.cuda.is_available() and rest["random_cuda"]:
        torch.cuda.set_rng_state_all(cast("list[Tensor]", rest["random_cuda"]))


def best_scores(folder: Path, metric: Metric) -> tuple[int, dict[str, float]]:
    """Returns the step and the dev scores that `save_best` noted about the best checkpoint.

    Args:
        folder: Where `save_best` wrote.
        metric: One that must be among the scores.

    Raises:
        RequestError: There is no such note, or it is damaged.
    """
    path = folder / "head.json"
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        step, scores = int(notes["step"]), {name: float(value) for name, value in notes["dev"].items()}
        scores[metric.name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path}: must say the dev scores of the best checkpoint, can't be read: {error!r}", "start another run"
        ) from error
    return step, scores


def _checkpoint(state: TrainingState, base: EncoderCheckpoint) -> EncoderCheckpoint:
    return base.with_weights(state.encoder.weights())
