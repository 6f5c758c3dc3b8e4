"""DARE, then the sign election of TIES."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot
from speechft_cli.merging.dare_linear import DareLinear
from speechft_cli.merging.signs import merge_agreeing
from speechft_cli.merging.task_vectors import line


class DareTies(DareLinear):
    """θ0 + α λ · sum of the thinned task vectors where they agree with the elected sign.

    Source: Yu et al. 2024, arXiv 2311.03099 (DARE); Yadav et al. 2023, arXiv 2306.01708 (sign election).
    """

    name: ClassVar[str] = "dare_ties"
    proviso: ClassVar[str] = "on average, less what is outvoted"

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ · merged task vector."""
        step = merge_agreeing(self.thin(base, tuned, spot), self.weights(len(tuned)), normalize=self.normalize)
        return line(base, step, self.lambda_)
