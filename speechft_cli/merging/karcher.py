"""The Karcher mean: the point on the sphere that is nearest to all models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot, WeightedMethod
from speechft_cli.merging.sphere import gram, mean_on_sphere
from speechft_cli.merging.task_vectors import line_to


class Karcher(WeightedMethod):
    """The weighted Riemannian mean of directions, the base weighing 1 − α and the tuned models α together.

    Its length is the mean of the lengths, weighted in the same way. At alpha 1 it is the mean of the tuned models
    alone; with one tuned model it runs along the arc that slerp takes.

    Source: Karcher 1977, "Riemannian center of mass and mollifier smoothing", CPAM 30; for merging, mergekit's
        `karcher`.
    """

    name: ClassVar[str] = "karcher"

    max_iter: Annotated[int, Field(gt=0)] = 10
    """Iterations at most."""
    tol: Annotated[float, Field(gt=0)] = 1e-5
    """The mean is found when a step is shorter than this [rad]."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns the share of each tuned model: the weights of a mean always sum to 1."""
        weights = self.weights(count)
        return tuple(weight / sum(weights) for weight in weights)

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        found = super().problems(count)
        if not found and sum(self.weights(count)) == 0:
            found.append("weight: must not sum to 0")
        return found

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → the mean; on the straight line where a tensor is zero and has no direction."""
        del spot
        models = (base, *tuned)
        products = gram(base, tuned)
        lengths = [math.sqrt(products[number][number]) for number in range(len(models))]
        shares = self.sizes(len(tuned))
        if not all(lengths):
            return line_to(base, tuned, shares, total=1.0, size=1.0)
        cosines = [[products[i][j] / (lengths[i] * lengths[j]) for j in range(len(models))] for i in range(len(models))]

        def at(alpha: float) -> Array:
            if alpha == 1 and len(tuned) == 1:
                return tuned[0]
            weights = (1 - alpha, *(alpha * share for share in shares))
            mean = mean_on_sphere(cosines, weights, most_steps=self.max_iter, tolerance=self.tol)
            size = math.fsum(weight * each for weight, each in zip(weights, lengths, strict=True))
            merged = base * (mean[0] * size / lengths[0])
            for model, part, each in zip(tuned, mean[1:], lengths[1:], strict=True):
                merged += model * (part * size / each)
            return merged

        return at
