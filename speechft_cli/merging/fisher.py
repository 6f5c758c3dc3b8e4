"""Fisher merging: every weight listens to the models for whose tasks it matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot
from speechft_cli.merging.measured import MeasuredMethod
from speechft_cli.merging.statistic import FISHER, Statistic
from speechft_cli.merging.task_vectors import line, weighted_sum


class Fisher(MeasuredMethod):
    """θ0 + α Σ_k w_k F_k (θ'_k − θ0) / Σ_k w_k F_k, number by number, F_k the diagonal of the Fisher information.

    At alpha 1 this is the paper's merge, Σ w F θ' / Σ w F. Where no model's loss depends on a number, and in tensors
    without statistics, it is the weighted mean of the task vectors.

    Source: Matena & Raffel 2022, "Merging models with Fisher-weighted averaging", arXiv 2111.09832, eq. 4; each F_k has
        norm 1 over its model, as in their code, so that no task counts more because its loss is larger.
    """

    name: ClassVar[str] = "fisher"
    statistic: ClassVar[Statistic | None] = FISHER

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · Fisher-weighted mean of the task vectors."""
        sizes, vectors = self.sizes(len(tuned)), [each - base for each in tuned]
        if not spot.statistics:
            return line(base, weighted_sum(vectors, sizes))
        ours = [each.reshape(base.shape).astype(base.dtype, copy=False) for each in spot.statistics]
        parts = [size * each for size, each in zip(sizes, ours, strict=True)]
        whole = sum(parts[1:], parts[0])
        known = whole > 0
        step = np.zeros_like(base)
        for size, part, vector in zip(sizes, parts, vectors, strict=True):
            share = np.divide(part, whole, out=np.full(base.shape, size, whole.dtype), where=known)
            step += share * vector
        return line(base, step)
