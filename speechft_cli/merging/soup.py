"""Which models go into a soup: the greedy recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taste:
    """One model that was tried.

    Attributes:
        number: Its place among the tuned models.
        alone: Its own score.
        mixed: The score of the mean of all that was kept so far, and of it.
        is_kept: Whether it stays.
    """

    number: int
    alone: float
    mixed: float
    is_kept: bool


def greedy(alone: Sequence[float], score: Callable[[Sequence[int]], float], *, is_higher_better: bool) -> list[Taste]:
    """Adds models to a soup, the best first, while its score does not fall.

    Args:
        alone: The score of each model; of equal ones the first comes first.
        score: The score of the mean of several models, named by their places.
        is_higher_better: The direction of scores.

    Returns:
        What was tried, in that order; the first is always kept.

    Source: Wortsman et al. 2022, "Model soups", arXiv 2203.05482, recipe 1.
    """
    sign = 1 if is_higher_better else -1
    first, *rest = sorted(range(len(alone)), key=lambda number: -sign * alone[number])
    best, tastes = alone[first], [Taste(first, alone[first], alone[first], True)]
    for number in rest:
        kept = [taste.number for taste in tastes if taste.is_kept]
        mixed = score([*kept, number])
        is_kept = sign * mixed >= sign * best
        best = mixed if is_kept else best
        tastes.append(Taste(number, alone[number], mixed, is_kept))
    return tastes
