"""Straight lines from the base along a sum of task vectors."""

from __future__ import annotations

from collections.abc import Sequence

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve


def line(base: Array, step: Array, size: float = 1.0) -> Curve:
    """Returns alpha → base + alpha · size · step.

    It rounds twice, where the published code does.
    """
    return lambda alpha: _along(step * (alpha * size), base)


def line_to(base: Array, tuned: Sequence[Array], weights: Sequence[float], *, total: float, size: float) -> Curve:
    """Returns alpha → base + alpha · size · Σ_k w_k (tuned_k − base) / total.

    With one tuned model nothing is kept but references to the inputs, so that a grid needs no third model in memory.

    Args:
        base: θ0.
        tuned: The θ'_k.
        weights: The w_k.
        total: What the sum is divided by.
        size: Scale of the whole step.
    """
    if len(tuned) == 1:
        scale = size * (weights[0] / total)
        return lambda alpha: _along(_scaled(tuned[0] - base, alpha * scale), base)
    step = weighted_sum([each - base for each in tuned], weights)
    if total != 1:
        step /= total
    return line(base, step, size)


def weighted_sum(vectors: Sequence[Array], weights: Sequence[float]) -> Array:
    """Returns Σ_k w_k v_k in the memory of the first vector; the others may be changed too."""
    for vector, weight in zip(vectors, weights, strict=True):
        if weight != 1:
            vector *= weight
    step = vectors[0]
    for vector in vectors[1:]:
        step += vector
    return step


def divisor(weights: Sequence[float], *, normalize: bool) -> float:
    """Returns what a sum of weighted task vectors is divided by: the sum of the weights, or 1."""
    return sum(weights) if normalize else 1.0


def _along(step: Array, base: Array) -> Array:
    step += base
    return step


def _scaled(step: Array, scale: float) -> Array:
    step *= scale
    return step
