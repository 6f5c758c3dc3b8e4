"""Electing one sign per weight among task vectors that pull both ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechft_cli.io.arrays import Array


def merge_agreeing(vectors: Sequence[Array], weights: Sequence[float], *, normalize: bool) -> Array:
    """Sums what agrees with the elected sign, which is that of the weighted sum.

    Args:
        vectors: The trimmed task vectors, all of one shape.
        weights: One per vector.
        normalize: Divide each element by the sum of the weights of the vectors that were summed there; with equal
            weights that is the mean over those that agree.

    Source: Yadav et al. 2023, TIES-merging, arXiv 2306.01708, section 4.2 (elect sign, disjoint merge).
    """
    weighted = [vector * weight for vector, weight in zip(vectors, weights, strict=True)]
    total = weighted[0].copy()
    for vector in weighted[1:]:
        total += vector
    elected = np.sign(total)
    merged = np.zeros_like(total)
    used = np.zeros_like(total)
    for vector, weight in zip(weighted, weights, strict=True):
        agrees = (np.sign(vector) == elected) & (vector != 0)
        merged += vector * agrees
        if normalize:
            used += agrees * weight
    return np.divide(merged, used, out=np.zeros_like(merged), where=used != 0) if normalize else merged
