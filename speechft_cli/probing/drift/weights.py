"""How far weights have moved, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


@dataclass(frozen=True)
class WeightDrift:
    """How far one part of an encoder is from the base's.

    Attributes:
        distance: ‖θ − θ0‖.
        size: ‖θ0‖.
    """

    distance: float
    size: float

    @property
    def relative(self) -> float:
        """‖θ − θ0‖ / ‖θ0‖; nan where the base has nothing."""
        return self.distance / self.size if self.size else float("nan")


def weight_drift(
    base: Mapping[str, Tensor], other: Mapping[str, Tensor], *, is_kept: Callable[[str], bool]
) -> list[WeightDrift]:
    """Returns the distance of each Transformer layer, after that of all the weights outside the layers.

    So entry i belongs to hidden state i: entry 0 is what the Transformer's input depends on, entry i is layer i.

    Args:
        base: θ0.
        other: θ, with the names and shapes of `base`.
        is_kept: Whether a weight belongs to the pre-training objective; such weights make no features and are left out.
    """
    squares: dict[int, list[float]] = {}
    for name, tensor in base.items():
        if not tensor.is_floating_point() or is_kept(name):
            continue
        found = _LAYER.search(name)
        part = squares.setdefault(int(found[1]) + 1 if found else 0, [0.0, 0.0])
        start = tensor.double()
        part[0] += (other[name].double() - start).square().sum().item()
        part[1] += start.square().sum().item()
    return [
        WeightDrift(moved**0.5, size**0.5)
        for moved, size in (squares.get(layer, [0.0, 0.0]) for layer in range(max(squares, default=-1) + 1))
    ]


def is_comparable(base: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two encoders have the same weights in the same shapes."""
    return base.keys() == other.keys() and all(other[name].shape == tensor.shape for name, tensor in base.items())
