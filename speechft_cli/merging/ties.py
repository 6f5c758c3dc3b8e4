"""TIES: trim small changes, elect a sign, merge what agrees with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot, WeightedMethod, Whole
from speechft_cli.merging.magnitudes import kth_largest, kth_largest_of_all
from speechft_cli.merging.signs import merge_agreeing
from speechft_cli.merging.task_vectors import line


class Ties(WeightedMethod):
    """θ0 + α λ · sum of the trimmed task vectors where they agree with the elected sign.

    `normalize: true` with equal weights gives the paper's disjoint mean; the weight of a single tuned model cancels in
    it.

    Source: Yadav et al. 2023, "TIES-Merging", arXiv 2306.01708, algorithm 1.
    """

    name: ClassVar[str] = "ties"
    proviso: ClassVar[str] = "less what is trimmed or outvoted"

    density: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of each task vector that is kept: its largest changes."""
    trim: Literal["tensor", "model"] = "tensor"
    """Whether the share is counted in each tensor, or over the whole model as in the paper."""
    lambda_: float = Field(1.0, alias="lambda")
    """λ, scale of the merged task vector."""
    normalize: bool = False
    """Divide by the sum of the weights of those that agree, weight by weight."""

    def survey(self, whole: Sequence[Whole]) -> tuple[float, ...]:
        """Returns, for trimming over the model, the smallest change that is kept of each task vector."""
        if self.trim == "tensor":
            return ()
        return tuple(kth_largest_of_all(partial(_changes, walk), self.density) for walk in whole)

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns the largest share that alpha 1 adds of each task vector, where nothing is trimmed."""
        return tuple(self.lambda_ if self.normalize else self.lambda_ * weight for weight in self.weights(count))

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ · merged task vector."""
        vectors = []
        for number, each in enumerate(tuned):
            vector = each - base
            size = np.abs(vector)
            if self.trim == "model":
                smallest = spot.survey[number]
            else:
                smallest = kth_largest(size, max(1, int(self.density * size.size)) if self.density else 0)
            vectors.append(vector * (size >= smallest))
        step = merge_agreeing(vectors, self.weights(len(tuned)), normalize=self.normalize)
        return line(base, step, self.lambda_)


def _changes(walk: Whole) -> Iterator[Array]:
    return (tuned - base for base, tuned in walk())
