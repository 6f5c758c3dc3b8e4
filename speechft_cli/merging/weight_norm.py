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
        alpha → g or v: v is the merged kernel itself, g its length. Where the curve passes through a model, the halves
        are that model's own.
    """
    is_length = name.endswith(_LENGTH)
    kernels = [kernel(*each) for each in tuned]
    along = draw(kernel(*base), kernels)

    def at(alpha: float) -> Array:
        merged = along(alpha)
        for each, halves in zip(kernels, tuned, strict=True):
            if merged is each:
                return halves[0] if is_length else halves[1]
        return _norm(merged, base[0]) if is_length else merged

    return at


def _norm(direction: Array, length: Array) -> Array:
    over = tuple(axis for axis, size in enumerate(length.shape) if size == 1)
    norm: Array = np.sqrt(np.square(direction).sum(axis=over, keepdims=True))
    return norm
