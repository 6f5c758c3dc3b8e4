"""Everything a run must remember to go on as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.data.batches import Position
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.formats import converted
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_folder, write_json
from speechft_cli.io.checkpoints import read_checkpoint, save_checkpoint
from speechft_cli.tasks.base import Metric, Task, Vocabulary
from speechft_cli.training.freezing import parameters_of
from speechft_cli.training.job import Job
from speechft_cli.training.precision import Precision
from speechft_cli.training.skips import Skips
from speechft_cli.training.strategies.base import Attached, Strategy


@dataclass
class TrainingState:
    """The state of a run between two updates.

    Attributes:
        encoder: The encoder being fine-tuned.
        heads: Task → its head, thrown away in the end.
        strategy: How the encoder is fine-tuned.
        attached: The encoder in the strategy's hands.
        optimizer: Adam over the heads (first group) and what of the encoder trains (second group).
        precision: In which numbers updates compute.
        skips: Updates left out.
        positions: The next batch of each job.
        step: Updates made.
        best: Dev scores of the best checkpoint so far, by the first job's metrics.
        is_due: Whether dev is to be scored before the next update: an interruption came first.
    """

    encoder: Encoder
    heads: nn.ModuleDict
    strategy: Strategy
    attached: Attached
    optimizer: torch.optim.Adam
    precision: Precision
    skips: Skips
    positions: list[Position]
    step: int = 0
    best: dict[str, float] | None = field(default=None)
    is_due: bool = False

    @property
    def device(self) -> torch.device:
        """Where encoder and heads are."""
        return next(self.heads.parameters()).device


def new_state(
    encoder: Encoder,
    heads: Mapping[str, nn.Module],
    *,
    strategy: Strategy,
    trainable: Sequence[str],
    base: Mapping[str, Tensor],
    precision: Precision,
    skip_limit: int,
) -> TrainingState:
    """Returns the state before the first update.

    Args:
        encoder: Built, on its device.
        heads: Task → head, on the same device.
        strategy: Prepares the encoder here.
        trainable: Names of the encoder's parameters that may train.
        base: The base's weights.
        precision: In which numbers updates compute.
        skip_limit: The run stops when this many updates were left out.
    """
    attached = strategy.attach(encoder, trainable, base)
    every = nn.ModuleDict(heads)
    groups = [
        {"params": list(every.parameters())},
        {"params": parameters_of(encoder, attached.trained)},
    ]
    optimizer = torch.optim.Adam(groups, fused=True)
    positions = [Position() for _ in heads]
    return TrainingState(encoder, every, strategy, attached, optimizer, precision, Skips(skip_limit), positions)


def checkpoint_bytes(state: TrainingState) -> int:
    """Returns how much room the best and the last checkpoint take while they replace older ones."""
    heads = sum(parameter.nbytes for parameter in state.heads.parameters())
    encoder = sum(tensor.nbytes for tensor in state.encoder.weights().values())
    trained = sum(parameter.nbytes for parameter in parameters_of(state.encoder, state.attached.trained))
    return 2 * (encoder + heads) + 2 * (heads + trained)  # Adam has two moments


def save_last(state: TrainingState, folder: Path, base: EncoderCheckpoint) -> None:
    """Writes `folder` whole or not at all: the encoder in s3prl's layout, and the rest in `state.pt`.

    Args:
        state: What to write.
        folder: Replaced when it exists.
        base: Where the encoder came from; brings the configuration.
    """
    with atomic_folder(folder) as unfinished:
        converted.save(base.with_weights(state.attached.weights()), unfinished / "encoder.pt")
        rest: dict[str, object] = {
            "heads": state.heads.state_dict(),
            "adapters": state.attached.adapters(),
            "optimizer": state.optimizer.state_dict(),
            "step": state.step,
            "positions": [list(position) for position in state.positions],
            "best": state.best,
            "is_due": state.is_due,
            "skipped": state.skips.count,
            "scale": None if state.precision.scale is None else [state.precision.scale, state.precision.steady],
        }
        save_checkpoint(rest, unfinished / "state.pt")


def save_best(
    state: TrainingState,
    folder: Path,
    base: EncoderCheckpoint,
    *,
    jobs: Sequence[Job],
    scores: Mapping[str, Mapping[str, float]],
) -> None:
    """Writes `folder` whole or not at all: encoder, heads, their classes, and the dev scores that made it the best."""
    with atomic_folder(folder) as unfinished:
        converted.save(base.with_weights(state.attached.weights()), unfinished / "encoder.pt")
        save_checkpoint(state.heads.state_dict(), unfinished / "heads.pt")
        write_json(
            unfinished / "heads.json",
            {
                "step": state.step,
                "tasks": {
                    job.task.name: {
                        "needs": job.task.needs,
                        "vocabulary": list(job.vocabulary.symbols),
                        "dev": dict(scores[job.task.name]),
                    }
                    for job in jobs
                },
            },
        )


def restore(state: TrainingState, folder: Path) -> None:
    """Brings `state` back to what `save_last` wrote; the encoder's plain weights are loaded already."""
    rest = read_checkpoint(folder / "state.pt")
    state.heads.load_state_dict(cast("dict[str, Tensor]", rest["heads"]))
    state.encoder.model.load_state_dict(cast("dict[str, Tensor]", rest["adapters"]), strict=False)
    state.optimizer.load_state_dict(cast("dict[str, object]", rest["optimizer"]))
    state.step = cast(int, rest["step"])
    state.positions = [Position(*each) for each in cast("list[list[int]]", rest["positions"])]
    state.best = cast("dict[str, float] | None", rest["best"])
    state.is_due = bool(rest.get("is_due"))  # earlier versions did not say
    state.skips.count = cast(int, rest["skipped"])
    if rest["scale"] is not None and state.precision.scale is not None and state.precision.steady is not None:
        scale, steady = cast("list[Tensor]", rest["scale"])
        state.precision.scale.copy_(scale)
        state.precision.steady.copy_(steady)


@dataclass(frozen=True)
class KeptHead:
    """What `save_best` noted of a head.

    Attributes:
        needs: The field of the manifests that held its targets; None where that was not noted: the task's own.
        vocabulary: Its classes.
    """

    needs: str | None
    vocabulary: Vocabulary


def kept_heads(folder: Path) -> dict[str, KeptHead]:
    """Returns task → head of those that `save_best` kept, by what it noted; none where it kept none.

    Args:
        folder: Where `save_best` wrote, or any other.

    Raises:
        RequestError: The note is damaged.
    """
    path = folder / "heads.json"
    if not path.is_file() or not (folder / "heads.pt").is_file():
        return {}
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
        return {
            name: KeptHead(facts.get("needs"), Vocabulary(tuple(map(str, facts["vocabulary"]))))
            for name, facts in tasks.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path}: must say the classes of each head, can't be read: {error!r}",
            "fine-tune again, or take a copy of the run that is whole",
        ) from error


def read_head(folder: Path, task: Task, classes: int, *, width: int) -> nn.Module:
    """Returns a head that `save_best` kept.

    Args:
        folder: Where `save_best` wrote.
        task: Whose head.
        classes: Number of its classes.
        width: D of the encoder.

    Raises:
        RequestError: It can't be read, or is no head of that task and size.
    """
    kept = cast("dict[str, Tensor]", read_checkpoint(folder / "heads.pt"))
    head, begins = task.head(width, classes), f"{task.name}."
    own = {name.removeprefix(begins): tensor for name, tensor in kept.items() if name.startswith(begins)}
    try:
        head.load_state_dict(own)
    except RuntimeError as error:
        raise RequestError(f"{folder / 'heads.pt'}: must hold a head of {task.name}: {error}") from error
    return head


def best_scores(folder: Path, task: str, metric: Metric) -> tuple[int, dict[str, float]]:
    """Returns the step and the dev scores that `save_best` noted about the best checkpoint.

    Args:
        folder: Where `save_best` wrote.
        task: Whose scores.
        metric: One that must be among the scores.

    Raises:
        RequestError: There is no such note, or it is damaged.
    """
    path = folder / "heads.json"
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        scores = {name: float(value) for name, value in notes["tasks"][task]["dev"].items()}
        step = int(notes["step"])
        scores[metric.name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path}: must say the dev scores of the best checkpoint, can't be read: {error!r}", "start another run"
        ) from error
    return step, scores
