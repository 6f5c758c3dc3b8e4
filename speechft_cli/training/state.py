"""Everything a run must remember to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.data.batches import Position
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.formats import converted
from speechft_cli.io.atomic import atomic_folder
from speechft_cli.io.checkpoints import read_checkpoint, save_checkpoint
from speechft_cli.training.freezing import freeze, parameters_of, release
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
    best: dict[str, float] | None = None
    is_due: bool = False

    @property
    def device(self) -> torch.device:
        """Where encoder and heads are."""
        return next(self.heads.parameters()).device

    def set_rates(self, *, head: float, encoder: float) -> None:
        """Sets the learning rates of the next update."""
        of_heads, of_encoder = self.optimizer.param_groups
        of_heads["lr"], of_encoder["lr"] = head, encoder

    def set_modes(self, *, is_frozen: bool, frozen_dropout: bool) -> None:
        """Lets the heads train, and of the encoder nothing or what may.

        Args:
            is_frozen: Whether the encoder is left alone.
            frozen_dropout: Whether dropout stays on inside it while it is frozen.
        """
        self.heads.train()
        if is_frozen:
            freeze(self.encoder, with_dropout=frozen_dropout)
        else:
            release(self.encoder, self.attached.trained)


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


def restore(state: TrainingState, folder: Path) -> None:
    """Brings `state` back to what `save_last` wrote; the encoder's plain weights are loaded already."""
    rest = read_checkpoint(folder / "state.pt")
    state.heads.load_state_dict(cast("dict[str, Tensor]", rest["heads"]))
    state.encoder.model.load_state_dict(cast("dict[str, Tensor]", rest["adapters"]), strict=False)
    state.optimizer.load_state_dict(cast("dict[str, object]", rest["optimizer"]))
    state.step = cast(int, rest["step"])
    state.positions = [Position(*each) for each in cast("list[list[int]]", rest["positions"])]
    state.best = cast("dict[str, float] | None", rest["best"])
    state.is_due = cast(bool, rest["is_due"])
    state.skips.count = cast(int, rest["skipped"])
    if rest["scale"] is not None and state.precision.scale is not None and state.precision.steady is not None:
        scale, steady = cast("list[Tensor]", rest["scale"])
        state.precision.scale.copy_(scale)
        state.precision.steady.copy_(steady)
