"""What a fine-tuning strategy is: facts, and one function that prepares an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from speechft_cli.encoders.encoder import Encoder


@dataclass(frozen=True)
class StrategySettings:
    """The numbers of all strategies; each takes its own.

    Attributes:
        l2sp_weight: λ of L2-SP.
        lora_rank: Rank of LoRA's and DoRA's updates.
        lora_alpha: Their scale is this over the rank.
        lora_targets: Names of the linear layers they update, by their last part.
        early_share: Share of the updates after which `early` ends.
    """

    l2sp_weight: float = 0.01
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    early_share: float = 0.2


def _nothing() -> None:
    """What most strategies add to the gradients."""


def _no_adapters() -> dict[str, Tensor]:
    return {}


@dataclass(frozen=True)
class Attached:
    """An encoder in the hands of a strategy.

    Attributes:
        trained: Names of the network's parameters that train once the encoder is released.
        weights: Returns the encoder's weights by their checkpoint names, as plain weights.
        add_gradients: Adds the strategy's own part to the gradients.
        adapters: Returns what `weights` can't bring back; by the network's own names.
        held_bytes: What the strategy keeps besides the network.
    """

    trained: tuple[str, ...]
    weights: Callable[[], dict[str, Tensor]]
    add_gradients: Callable[[], None] = _nothing
    adapters: Callable[[], dict[str, Tensor]] = _no_adapters
    held_bytes: int = 0


@dataclass(frozen=True)
class Strategy:
    """How an encoder is fine-tuned.

    Attributes:
        name: Its name in the catalogue.
        attach: Prepares an encoder, given the names of the parameters that may train and the base's weights.
        note: What the plan says about it beyond the stages; may be empty.
        has_head_phase: Whether the head trains alone first.
        end_share: Share of the updates after which the run ends.
        keeps_last: Whether the checkpoint that is kept is the one at the end, whatever dev says.
        starts_from_base: Whether a resumed run builds its encoder from the base, because its own state is in adapters.
    """

    name: str
    attach: Callable[[Encoder, Sequence[str], Mapping[str, Tensor]], Attached]
    note: str = ""
    has_head_phase: bool = True
    end_share: float = 1.0
    keeps_last: bool = False
    starts_from_base: bool = False


Make = Callable[[StrategySettings], Strategy]


def attach_whole(encoder: Encoder, names: Sequence[str], base: Mapping[str, Tensor]) -> Attached:
    """Lets all of `names` train as they are."""
    del base
    return Attached(tuple(names), encoder.weights)
