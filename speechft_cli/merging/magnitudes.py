"""The k-th largest magnitude: of one array, or of many that never lie in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from speechft_cli.io.arrays import Array

_HALF = 1 << 16


def kth_largest(magnitudes: Array, count: int) -> float:
    """Returns the `count`-th largest of `magnitudes` (non-negative, any shape); infinity when `count` is 0."""
    flat = magnitudes.reshape(-1)
    if count <= 0:
        return float("inf")
    place = max(len(flat) - count, 0)
    return float(np.partition(flat, place)[place])


def kth_largest_of_all(arrays: Callable[[], Iterable[Array]], share: float) -> float:
    """Returns the magnitude that a `share` of all numbers reach, in fp32, without holding them all.

    The bits of non-negative fp32 numbers sort as the numbers do: one walk counts their upper halves, a second one
    the lower halves within the upper half that matters.

    Args:
        arrays: A walk over arrays of any sign; walked twice.
        share: In [0, 1].
    """
    upper = np.zeros(_HALF, dtype=np.int64)
    for array in arrays():
        upper += np.bincount(_bits(array) >> 16, minlength=_HALF)
    wanted = int(share * int(upper.sum()))
    if wanted == 0:
        return float("inf")
    high, above = _bin(upper, wanted)
    lower = np.zeros(_HALF, dtype=np.int64)
    for array in arrays():
        bits = _bits(array)
        lower += np.bincount(bits[(bits >> 16) == high] & (_HALF - 1), minlength=_HALF)
    low, _ = _bin(lower, wanted - above)
    return float(np.array((high << 16) | low, dtype=np.int32).view(np.float32))


def _bits(array: Array) -> NDArray[np.int32]:
    return np.abs(array.reshape(-1).astype(np.float32, copy=False)).view(np.int32)


def _bin(counts: NDArray[np.int64], wanted: int) -> tuple[int, int]:
    """The bin that holds the `wanted`-th largest, and how many lie in the bins above it."""
    from_above = counts[::-1].cumsum()
    place = int(np.searchsorted(from_above, wanted))
    above = int(from_above[place - 1]) if place else 0
    return len(counts) - 1 - place, above
