"""Geometry of unit vectors that are known only by their inner products: no tensor but the inputs is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from speechft_cli.io.arrays import Array
from speechft_cli.merging.inner import inner, length

Matrix = Sequence[Sequence[float]]


def gram(base: Array, tuned: Sequence[Array]) -> list[list[float]]:
    """Returns the inner products of base and tuned tensors, base first, computed in fp64.

    The angles between a model and what was fine-tuned from it are small, so half the digits are lost in them.
    """
    vectors = [each.astype(np.float64) for each in (base, *tuned)]
    return [[inner(one, other) for other in vectors] for one in vectors]


def angle_between(one: Array, other: Array) -> float | None:
    """Returns the angle between two tensors in [0, π]; None where one of them is zero."""
    products = gram(one, [other])
    lengths = math.sqrt(products[0][0]), math.sqrt(products[1][1])
    if not all(lengths):
        return None
    a, b = one.astype(np.float64) / lengths[0], other.astype(np.float64) / lengths[1]
    # stable for small angles, where the arc cosine is not
    return 2 * math.atan2(length(a - b), length(a + b))


def mean_on_sphere(
    cosines: Matrix, weights: Sequence[float], *, most_steps: int, tolerance: float
) -> tuple[float, ...]:
    """Returns the weighted Karcher mean of unit vectors, as coefficients of these vectors.

    Args:
        cosines: Their inner products.
        weights: They sum to 1.
        most_steps: Iterations at most.
        tolerance: The mean is found when a step is shorter than this [rad].

    Source: Karcher 1977, "Riemannian center of mass and mollifier smoothing"; the iteration is gradient descent on
        the sphere through its logarithm and exponential.
    """
    mean = _normed(list(weights), cosines)
    for _ in range(most_steps):
        step = [0.0] * len(weights)
        for number, weight in enumerate(weights):
            product = math.fsum(own * row[number] for own, row in zip(mean, cosines, strict=True))
            cosine = min(1.0, max(-1.0, product))
            angle = math.acos(cosine)
            factor = angle / math.sin(angle) if 1e-9 < angle < math.pi - 1e-9 else 1.0
            step = [each - weight * factor * cosine * own for each, own in zip(step, mean, strict=True)]
            step[number] += weight * factor
        size = math.sqrt(max(0.0, _product(step, step, cosines)))
        if size < tolerance:
            break
        mean = [math.cos(size) * own + math.sin(size) / size * each for own, each in zip(mean, step, strict=True)]
        mean = _normed(mean, cosines)
    return tuple(mean)


def _product(one: Sequence[float], other: Sequence[float], cosines: Matrix) -> float:
    return math.fsum(a * b * cosines[i][j] for i, a in enumerate(one) for j, b in enumerate(other))


def _normed(vector: list[float], cosines: Matrix) -> list[float]:
    size = math.sqrt(max(0.0, _product(vector, vector, cosines)))
    return [each / size for each in vector] if size > 0 else vector
