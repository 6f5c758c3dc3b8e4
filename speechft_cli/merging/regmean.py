"""RegMean: linear layers that answer to each model's own inputs as that model would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot
from speechft_cli.merging.measured import MeasuredMethod
from speechft_cli.merging.statistic import GRAM, Statistic
from speechft_cli.merging.task_vectors import line, weighted_sum


class RegMean(MeasuredMethod):
    """θ0 + α [Σ_k (θ'_k − θ0) w_k G_k] [Σ_k w_k G_k]⁻¹ for matrices of linear layers, G_k = E[x xᵀ] of their inputs x.

    At alpha 1 this is the paper's merge: of all matrices the one whose outputs are nearest to those of each model on
    that model's inputs, in the least squares. All else (biases, norms, convolutions) is the weighted mean of the task
    vectors. A small ridge, which the paper has not, keeps inputs that hardly ever speak near that mean too.

    Source: Jin et al. 2023, "Dataless knowledge fusion by merging weights of language models", arXiv 2212.09849,
        eq. 2 and section 4.2.
    """

    name: ClassVar[str] = "regmean"
    statistic: ClassVar[Statistic | None] = GRAM

    off_diagonal: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The paper's α: what the G_k are multiplied by off their diagonals. 1 solves the least squares as they are, 0
    weighs the inputs one by one."""
    ridge: Annotated[float, Field(gt=0)] = 0.001
    """Added to the diagonals, where their mean is 1: how much an input that hardly ever speaks is left to the mean of
    the task vectors. Without it such an input gets weights that no tuned model has."""

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · what the least squares add, or the mean of the task vectors."""
        sizes, vectors = self.sizes(len(tuned)), [each - base for each in tuned]
        if not spot.statistics:
            return line(base, weighted_sum(vectors, sizes))
        inputs = base.shape[-1]
        right, left = np.zeros(base.shape), np.zeros((inputs, inputs))
        for size, gram, vector in zip(sizes, spot.statistics, vectors, strict=True):
            part = self._softened(gram, size)
            right += vector @ part
            left += part
        step = np.linalg.solve(left, right.T).T
        return line(base, step.astype(base.dtype))

    def _softened(self, gram: Array, size: float) -> Array:
        """w · G in fp64, smaller off its diagonal."""
        part = gram.astype(np.float64)
        diagonal = np.diagonal(part).copy()
        part *= size * self.off_diagonal
        floor = self.ridge * diagonal.mean() or 1.0  # a layer that heard nothing but zeros takes the mean
        np.fill_diagonal(part, size * (diagonal + floor))
        return part
