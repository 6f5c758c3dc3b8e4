"""How sure a mean over a few seeds is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def half_width(values: Sequence[float], *, confidence: float = 0.95) -> float | None:
    """Returns half the width of the t interval of the mean of `values`; None for fewer than two, or one
    that is no number.

    Source: Student 1908. Seeds are the sample, so it says how much the probes' randomness moves the mean, and nothing
    about other speech.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    from scipy.special import stdtrit  # a third of a second that only a finished evaluation pays

    quantile = float(stdtrit(len(values) - 1, (1 + confidence) / 2))
    width: float = quantile * statistics.stdev(values) / len(values) ** 0.5
    return width
