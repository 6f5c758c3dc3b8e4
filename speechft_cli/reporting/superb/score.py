"""The SUPERB score: how far from FBANK features to the best known encoder, 0 to 1000 and beyond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """The two ends of one metric's scale, in the metric's own unit.

    Attributes:
        base: What scores 0: FBANK features.
        top: What scores 1000: the best encoder there is.
    """

    base: float
    top: float


@dataclass(frozen=True)
class Constants:
    """A named set of constants; scores made with different sets can't be compared.

    Attributes:
        name: Printed beside every score.
        references: Task → metric → its scale.
    """

    name: str
    references: Mapping[str, Mapping[str, Reference]]


@dataclass(frozen=True)
class SuperbScore:
    """A score.

    Attributes:
        value: The mean of the tasks.
        tasks: Task → its own score; only what was measured and has constants.
        constants: Name of the set.
    """

    value: float
    tasks: Mapping[str, float]
    constants: str


def superb_score(values: Mapping[str, Mapping[str, float]], constants: Constants) -> SuperbScore | None:
    """Returns 1000 / |T| · Σ_t 1 / |M_t| · Σ_m (φ − base) / (top − base).

    A task with several metrics, as slot filling, counts once. Nothing is clipped; where lower is better the base is
    above the top, so the sign is right by itself. A task takes part when all metrics of its constants are there.

    Args:
        values: Task → metric → value, in the metric's unit.
        constants: The scales.

    Returns:
        The score; None when no task takes part.

    Source: Speech-FT, Lin et al. 2026, arXiv 2502.12672, eq. 4 and 5; the same as SUPERB's challenge.
    """
    tasks: dict[str, float] = {}
    for task, references in constants.references.items():
        measured = values.get(task, {})
        if all(math.isfinite(measured.get(metric, math.nan)) for metric in references):
            shares = [(measured[name] - each.base) / (each.top - each.base) for name, each in references.items()]
            tasks[task] = 1000 * sum(shares) / len(shares)
    return SuperbScore(sum(tasks.values()) / len(tasks), tasks, constants.name) if tasks else None
