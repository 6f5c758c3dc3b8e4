"""How sure a mean over a few seeds is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def half_width(values: Sequence[float]) -> float | None:
    """Returns half the width of the 95 % interval of a mean; None for fewer than two values, or one that is no number.

    By Student's t: seeds are the sample, so it says how much the probes' randomness moves the mean, and nothing about
    other speech.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    from scipy.special import stdtrit  # a third of a second that only a finished evaluation pays

    quantile = float(stdtrit(len(values) - 1, 0.975))
    width: float = quantile * statistics.stdev(values) / len(values) ** 0.5
    return width
