"""Electing one sign per weight among task vectors that pull both ways."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def merge_agreeing(vectors: Sequence[Tensor], weights: Sequence[float], *, normalize: bool) -> Tensor:
    """Sums what agrees with the elected sign, which is that of the weighted sum.

    Args:
        vectors: The trimmed task vectors, all of one shape.
        weights: One per vector.
        normalize: Divide each element by the sum of the weights of the vectors that were summed there; with equal
            weights that is the mean over those that agree.

    Source: Yadav et al. 2023, TIES-merging, arXiv 2306.01708, section 4.2 (elect sign, disjoint merge).
    """
    weighted = [vector * weight for vector, weight in zip(vectors, weights, strict=True)]
    total = weighted[0].clone()
    for vector in weighted[1:]:
        total += vector
    elected = total.sign()
    merged = torch.zeros_like(total)
    used = torch.zeros_like(total)
    for vector, weight in zip(weighted, weights, strict=True):
        agrees = (vector.sign() == elected) & (vector != 0)
        merged += vector * agrees
        if normalize:
            used += agrees * weight
    return torch.where(used == 0, torch.zeros_like(merged), merged / used) if normalize else merged
