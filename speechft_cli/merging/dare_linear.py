"""DARE: drop random changes and rescale the rest, then add the task vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot, WeightedMethod
from speechft_cli.merging.dropping import drop
from speechft_cli.merging.task_vectors import divisor, line, weighted_sum


class DareLinear(WeightedMethod):
    """θ0 + α λ Σ_k w_k DARE(θ'_k − θ0).

    Meant for small task vectors, as fine-tuning gives them; after long continued pre-training little should be
    dropped. The same seed drops the same elements on every machine.

    Source: Yu et al. 2024, "Language models are Super Mario", arXiv 2311.03099.
    """

    name: ClassVar[str] = "dare_linear"
    proviso: ClassVar[str] = "on average"

    density: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the changes that is kept, at random; the paper's drop rate p is 1 − density."""
    rescale: bool = True
    """Divide what is kept by the density, so that the expectation stays."""
    lambda_: float = Field(1.0, alias="lambda")
    """λ, scale of the summed task vectors."""
    normalize: bool = False
    """Divide by the sum of the weights."""
    seed: int = 1337
    """Of what is dropped; default: the experiment's."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns what alpha 1 adds of each task vector, in expectation."""
        weights = self.weights(count)
        share = self.lambda_ * (1.0 if self.rescale else self.density) / divisor(weights, normalize=self.normalize)
        return tuple(share * weight for weight in weights)

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ · sum of the thinned task vectors."""
        weights = self.weights(len(tuned))
        step = weighted_sum(self.thin(base, tuned, spot), weights)
        return line(base, step, self.lambda_ / divisor(weights, normalize=self.normalize))

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        found = super().problems(count)
        if not found and self.normalize and sum(self.weights(count)) == 0:
            found.append("weight: must not sum to 0 when normalize is true")
        return found

    def thin(self, base: Array, tuned: Sequence[Array], spot: Spot) -> list[Array]:
        """Returns the task vectors without what is dropped."""
        return [
            drop(each - base, self.density, rescale=self.rescale, seed=self.seed, name=spot.name, number=number)
            for number, each in enumerate(tuned)
        ]
