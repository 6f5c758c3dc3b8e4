"""How two models differ from a base and from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechft_cli.io.arrays import Array
from speechft_cli.merging.inner import inner, length, precision_of


@dataclass(frozen=True)
class Difference:
    """What is known of one part of two models.

    Attributes:
        base: Length of the base.
        one: Distance of the one model from the base.
        other: Distance of the other.
        product: Inner product of their task vectors.
        numbers: How many numbers there are.
        moved: In how many the one differs from the base.
        shared: In how many both do.
        opposed: In how many of these the two moved in opposite directions.
    """

    base: float
    one: float
    other: float
    product: float
    numbers: int
    moved: int
    shared: int
    opposed: int

    @property
    def is_finite(self) -> bool:
        """Whether all of it is known; a NaN or an infinity in a model makes it unknown."""
        return all(map(math.isfinite, (self.base, self.one, self.other, self.product)))

    @property
    def apart(self) -> float:
        """Distance of the two models from each other."""
        return math.sqrt(max(0.0, self.one**2 + self.other**2 - 2 * self.product))

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between the task vectors; None where one of them is zero."""
        return self.product / (self.one * self.other) if self.one and self.other else None

    @property
    def conflict(self) -> float | None:
        """Share of the numbers that both moved in which they moved in opposite directions; None without any."""
        return self.opposed / self.shared if self.shared else None

    @property
    def changed(self) -> float:
        """Share of the numbers in which the one differs from the base."""
        return self.moved / self.numbers if self.numbers else 0.0


def compare(base: Array, one: Array, other: Array) -> Difference:
    """Compares one tensor of two models."""
    precision = precision_of((base, one, other))
    start = base.astype(precision, copy=False)
    a, b = one.astype(precision, copy=False) - start, other.astype(precision, copy=False) - start
    products = np.sign(a) * np.sign(b)
    return Difference(
        base=length(start),
        one=length(a),
        other=length(b),
        product=inner(a, b),
        numbers=base.size,
        moved=int(np.count_nonzero(a)),
        shared=int(np.count_nonzero(products)),
        opposed=int(np.count_nonzero(products < 0)),
    )


def summed(parts: Sequence[Difference]) -> Difference:
    """Returns the difference of several tensors taken together."""
    return Difference(
        base=math.hypot(*(part.base for part in parts)),
        one=math.hypot(*(part.one for part in parts)),
        other=math.hypot(*(part.other for part in parts)),
        product=math.fsum(part.product for part in parts),
        numbers=sum(part.numbers for part in parts),
        moved=sum(part.moved for part in parts),
        shared=sum(part.shared for part in parts),
        opposed=sum(part.opposed for part in parts),
    )
