"""Task arithmetic: task vectors are added and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot, WeightedMethod
from speechft_cli.merging.task_vectors import divisor, line_to


class TaskArithmetic(WeightedMethod):
    """θ0 + α λ Σ_k w_k (θ'_k − θ0); a negative weight makes the model forget a task.

    Source: Ilharco et al. 2023, "Editing models with task arithmetic", arXiv 2212.04089, section 2.
    """

    name: ClassVar[str] = "task_arithmetic"

    lambda_: float = Field(1.0, alias="lambda")
    """λ, scale of the summed task vectors."""
    normalize: bool = False
    """Divide by the sum of the weights."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns what alpha 1 adds of each task vector."""
        weights = self.weights(count)
        total = divisor(weights, normalize=self.normalize)
        return tuple(self.lambda_ * weight / total for weight in weights)

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        found = super().problems(count)
        if not found and self.normalize and sum(self.weights(count)) == 0:
            found.append("weight: must not sum to 0 when normalize is true")
        return found

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ · weighted sum of the task vectors."""
        del spot
        weights = self.weights(len(tuned))
        return line_to(base, tuned, weights, total=divisor(weights, normalize=self.normalize), size=self.lambda_)
