"""Linear interpolation, the merge of Speech-FT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, MergeMethod, Spot, Weight, weight_of_each, wrong_weights
from speechft_cli.merging.task_vectors import divisor, line_to


class Linear(MergeMethod):
    """θ0 + α · mean_k(θ'_k − θ0): the mean of the task vectors, not their sum; with weights, their weighted sum.

    Rounds where the published code does, twice, so that its results are reproduced bit for bit. That makes alpha 1
    miss the tuned model by a rounding error; with one tuned model alpha 1 is therefore that model itself.

    Source: Lin et al. 2026, "Speech-FT", TASLP 34, arXiv 2502.12672, eq. 1; `linear` in merge_utils.py of
        github.com/nervjack2/Speech-FT for several models.
    """

    name: ClassVar[str] = "linear"

    weight: Weight | None = None
    """Weight of each task vector: one number for all tuned models, or one for each. Default: their mean."""
    normalize: bool = False
    """Divide by the sum of the weights."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns the weight of each tuned model, 1 / count by default."""
        if self.weight is None:
            return (1 / count,) * count
        weights = weight_of_each(self.weight, count)
        total = divisor(weights, normalize=self.normalize)
        return tuple(weight / total for weight in weights)

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        if self.weight is None:
            return []
        found = wrong_weights(self.weight, count)
        if not found and self.normalize and sum(self.weight) == 0:
            found.append("weight: must not sum to 0 when normalize is true")
        return found

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · weighted sum of the task vectors."""
        del spot
        count = len(tuned)
        if self.weight is None:  # sum first and divide then, as the published code does
            along = line_to(base, tuned, (1.0,) * count, total=count, size=1.0)
        else:
            along = line_to(base, tuned, self.sizes(count), total=1.0, size=1.0)
        if count > 1 or self.sizes(1) != (1.0,):
            return along
        return lambda alpha: tuned[0] if alpha == 1 else along(alpha)
