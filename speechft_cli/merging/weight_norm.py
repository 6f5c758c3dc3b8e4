"""Weight-normed convolutions, which a checkpoint keeps as a direction v and a length g."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve

_LENGTH, _DIRECTION = ".weight_g", ".weight_v"


def partner(name: str) -> str | None:
    """Returns the name of the other half of a weight-normed kernel, None for any other tensor."""
    for mine, other in ((_LENGTH, _DIRECTION), (_DIRECTION, _LENGTH)):
        if name.endswith(mine):
            return name.removesuffix(mine) + other
    return None


def pairs(names: Iterable[str]) -> dict[str, str]:
    """Returns name → partner for every half whose partner is there too."""
    known = set(names)
    return {name: other for name in known if (other := partner(name)) in known and other is not None}


def kernel(length: Array, direction: Array) -> Array:
    """Returns g · v / |v|, the norm taken over the dimensions in which g has size 1.

    Source: Salimans & Kingma 2016, "Weight normalization", arXiv 1602.07868, eq. 2.
    """
    return direction * (length / _norm(direction, length))


def half_curve(
    name: str,
    base: tuple[Array, Array],
    tuned: Sequence[tuple[Array, Array]],
    draw: Callable[[Array, Sequence[Array]], Curve],
) -> Curve:
    """Draws the curve of g or v such that their kernel goes along the curve of the kernels.

    Args:
        name: Of the half that is wanted.
        base: (g, v) of the base, in the precision to compute in.
        tuned: (g, v) of each tuned model.
        draw: Draws the curve of the kernels.

    Returns:
        alpha → g or v. A kernel leaves the length of v open: it is the base's, so that what is stored lies as near to
        the base as the kernel does. Where the curve passes through a model, the halves are that model's own.
    """
    is_length = name.endswith(_LENGTH)
    models = [*tuned, base]
    kernels = [kernel(*each) for each in models]
    along = draw(kernels[-1], kernels[:-1])

    def at(alpha: float) -> Array:
        merged = along(alpha)
        for each, (length, direction) in zip(kernels, models, strict=True):
            if np.array_equal(merged, each):
                return length if is_length else direction
        length, direction = base
        own = _norm(merged, length)
        if is_length:
            return own
        # a kernel that is zero somewhere has no direction there
        scale = np.divide(_norm(direction, length), own, out=np.zeros_like(own), where=own > 0)
        return np.where(own > 0, merged * scale, direction)

    return at


def _norm(direction: Array, length: Array) -> Array:
    over = tuple(axis for axis, size in enumerate(length.shape) if size == 1)
    norm: Array = np.sqrt(np.square(direction).sum(axis=over, keepdims=True))
    return norm
