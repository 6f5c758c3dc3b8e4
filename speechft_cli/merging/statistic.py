"""What some methods have to know of each tuned model besides its weights: statistics measured on speech."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from speechft_cli.io.arrays import Array, is_float

#: Bytes of a number of a statistic, which is kept in fp32.
_BYTES = 4


@dataclass(frozen=True)
class Statistic:
    """A kind of statistic: one array for each tensor that it can be measured of.

    Attributes:
        name: What it is called in files and records.
        summary: What it says, in words.
        needs_labels: Whether it takes the tuned model's own task: a head, and targets in the manifests.
        is_of_inputs: Whether there is one array (D, D) for each matrix that D inputs go through, instead of one of the
            tensor's own shape for every tensor.
    """

    name: str
    summary: str
    needs_labels: bool
    is_of_inputs: bool

    def shapes(self, base: Mapping[str, Array], names: tuple[str, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yields name → shape of all arrays that there may be; of inputs, not every matrix turns out to have some."""
        for name in names:
            array = base[name]
            if not self.is_of_inputs:
                yield name, array.shape
            elif array.ndim == 2 and is_float(array):
                yield name, (array.shape[1], array.shape[1])

    def size(self, base: Mapping[str, Array], names: tuple[str, ...]) -> int:
        """Returns the bytes that it takes of one tuned model at most."""
        return sum(_BYTES * math.prod(shape) for _, shape in self.shapes(base, names))


#: E[(∂ loss / ∂θ)²] of each weight, over utterances with their targets; the norm over the whole model is 1.
FISHER = Statistic("fisher", "squared gradients of its task's loss", needs_labels=True, is_of_inputs=False)
#: E[x xᵀ] (D, D) of the inputs x of each matrix, over frames.
GRAM = Statistic("gram", "inner products of the inputs of its linear layers", needs_labels=False, is_of_inputs=True)
