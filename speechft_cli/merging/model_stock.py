"""Model stock: how far to go toward the mean of the tuned models, from the angles between their task vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, MergeMethod, Spot
from speechft_cli.merging.inner import inner, length
from speechft_cli.merging.task_vectors import line, weighted_sum


class ModelStock(MergeMethod):
    """θ0 + α t · mean_k(θ'_k − θ0), t = K cos φ / (1 + (K − 1) cos φ), φ the mean angle of the task vectors.

    The paper's merge is alpha 1. Where the task vectors point away from each other on average, t is 0.

    Source: Jang et al. 2024, "Model Stock", arXiv 2403.19522, eq. 7.
    """

    name: ClassVar[str] = "model_stock"
    proviso: ClassVar[str] = "where they agree, and less where they do not"
    fewest: ClassVar[int] = 2

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns the most that alpha 1 adds of each task vector: where all of them agree."""
        return (1 / count,) * count

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · t · mean task vector."""
        del spot
        vectors = [each - base for each in tuned]
        lengths = [length(vector) for vector in vectors]
        count = len(tuned)
        pairs = [(a, b) for a, b in combinations(range(count), 2) if lengths[a] and lengths[b]]
        cosines = [inner(vectors[a], vectors[b]) / (lengths[a] * lengths[b]) for a, b in pairs]
        # a model that has not moved agrees with nobody: its pairs count as 0
        cosine = max(0.0, sum(cosines) / (count * (count - 1) / 2))
        ratio = count * cosine / (1 + (count - 1) * cosine)
        return line(base, weighted_sum(vectors, (1.0,) * count), ratio / count)
