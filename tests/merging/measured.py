"""Statistics of made-up models, for tests of methods that ask for some."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from speechft_cli.io.arrays import Array, array_bytes, is_float
from speechft_cli.merging.base import MergeMethod


def statistics_of(method: MergeMethod, tuned: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """Returns random statistics that follow from a model's numbers, so that they stay its own in any order."""
    if method.statistic is None:
        return []
    found = []
    for weights in tuned:
        names = tuple(name for name, array in weights.items() if is_float(array))
        made = {}
        for name, shape in method.statistic.shapes(weights, names):
            random = np.random.default_rng(zlib.crc32(array_bytes(weights[name])))
            numbers = random.standard_normal(shape, dtype=np.float32)
            made[name] = numbers @ numbers.T if method.statistic.is_of_inputs else numbers**2
        found.append(made)
    return found
