"""Which alpha to use, from dev scores only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from speechft_cli.reporting.scores import Score

#: The rule, for people.
RULE = (
    "the merged encoder whose dev scores gain most over the base, as the mean over tasks of the relative gain in each "
    "task's first metric; of equals the smallest alpha; tasks where the base scores 0 do not count"
)


@dataclass(frozen=True)
class Recommendation:
    """The best alpha.

    Attributes:
        label: Its encoder.
        alpha: The alpha.
        gain: Mean relative gain over the base on dev [1]; negative when it is worse.
    """

    label: str
    alpha: Decimal
    gain: float


def recommend(scores: Sequence[Score], *, base: str) -> Recommendation | None:
    """Chooses among the merged encoders.

    Args:
        scores: First metrics of all encoders and tasks; only those on dev are looked at.
        base: Label of the base encoder.

    Returns:
        The best one by `RULE`; None when nothing was merged or there is no base to compare with.
    """
    dev = [score for score in scores if score.split == "dev"]
    reference = {score.task: score.value for score in dev if score.label == base}
    gains: dict[tuple[Decimal, str], list[float]] = {}
    for score in dev:
        alpha, start = score.exact_alpha(), reference.get(score.task, 0.0)
        if alpha is None or start == 0 or not (math.isfinite(start) and math.isfinite(score.value)):
            continue
        sign = 1 if score.better == "higher" else -1
        gains.setdefault((alpha, score.label), []).append(sign * (score.value - start) / start)
    if not gains:
        return None
    means = {key: sum(each) / len(each) for key, each in gains.items()}
    alpha, label = min(means, key=lambda key: (-means[key], key))
    return Recommendation(label, alpha, means[alpha, label])
