"""The k-th largest magnitude: of one tensor, or of many that never lie in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

_HALF = 1 << 16


def kth_largest(magnitudes: Tensor, count: int) -> float:
    """Returns the `count`-th largest of `magnitudes` (non-negative, any shape); infinity when `count` is 0."""
    flat = magnitudes.reshape(-1).numpy()
    if count <= 0:
        return float("inf")
    place = max(len(flat) - count, 0)
    # a quarter of the time of torch.topk or torch.kthvalue
    return float(np.partition(flat, place)[place])


def kth_largest_of_all(tensors: Callable[[], Iterable[Tensor]], share: float) -> float:
    """Returns the magnitude that a `share` of all numbers reach, in fp32, without holding them all.

    The bits of non-negative fp32 numbers sort as the numbers do: one walk counts their upper halves, a second one
    the lower halves within the upper half that matters.

    Args:
        tensors: A walk over tensors of any sign; walked twice.
        share: In [0, 1].
    """
    upper = torch.zeros(_HALF, dtype=torch.int64)
    for tensor in tensors():
        upper += torch.bincount(_bits(tensor) >> 16, minlength=_HALF)
    wanted = int(share * int(upper.sum()))
    if wanted == 0:
        return float("inf")
    high, above = _bin(upper, wanted)
    lower = torch.zeros(_HALF, dtype=torch.int64)
    for tensor in tensors():
        bits = _bits(tensor)
        lower += torch.bincount(bits[(bits >> 16) == high] & (_HALF - 1), minlength=_HALF)
    low, _ = _bin(lower, wanted - above)
    return torch.tensor((high << 16) | low, dtype=torch.int32).view(torch.float32).item()


def _bits(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).float().abs().view(torch.int32)


def _bin(counts: Tensor, wanted: int) -> tuple[int, int]:
    """The bin that holds the `wanted`-th largest, and how many lie in the bins above it."""
    from_above = counts.flip(0).cumsum(0)
    place = int(torch.searchsorted(from_above, wanted))
    above = int(from_above[place - 1]) if place else 0
    return len(counts) - 1 - place, above
