"""Model breadcrumbs: neither the largest changes nor the smallest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot, WeightedMethod
from speechft_cli.merging.magnitudes import kth_largest
from speechft_cli.merging.task_vectors import line, weighted_sum


class Breadcrumbs(WeightedMethod):
    """θ0 + α λ Σ_k w_k d_k, where d_k is the task vector without its outliers and without its small changes.

    Source: Davari & Belilovsky 2024, "Model breadcrumbs", arXiv 2312.06795, section 3.
    """

    name: ClassVar[str] = "breadcrumbs"
    proviso: ClassVar[str] = "less what is dropped"

    density: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Share of each tensor's changes that is kept."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of the largest changes that is dropped, as far as `density` leaves room for that."""
    lambda_: float = Field(1.0, alias="lambda")
    """λ, scale of the summed task vectors."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns what alpha 1 adds of each task vector, where nothing is dropped."""
        return tuple(self.lambda_ * weight for weight in self.weights(count))

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ · sum of what is left of the task vectors."""
        del spot
        vectors = []
        for each in tuned:
            vector = each - base
            size = np.abs(vector)
            kept = int(self.density * size.size)
            dropped = min(int(self.gamma * size.size), size.size - kept)
            # numbers that tie with the largest or the smallest that is kept are kept, too
            largest, smallest = kth_largest(size, dropped + 1), kth_largest(size, dropped + kept)
            vectors.append(vector * ((size <= largest) & (size >= smallest)) if kept else np.zeros_like(vector))
        return line(base, weighted_sum(vectors, self.weights(len(tuned))), self.lambda_)
