"""Spherical interpolation between base and tuned model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, MergeMethod, Spot
from speechft_cli.merging.sphere import angle_between
from speechft_cli.merging.task_vectors import line_to

#: Angle below which the arc is the chord to within fp32.
_STRAIGHT = 1e-6


class Slerp(MergeMethod):
    """sin((1−α)φ)/sin φ · θ0 + sin(αφ)/sin φ · θ', φ the angle between the two, tensor by tensor.

    Source: Shoemake 1985, "Animating rotation with quaternion curves", SIGGRAPH; on flattened tensors as in mergekit.
    """

    name: ClassVar[str] = "slerp"
    most: ClassVar[int | None] = 1

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → the point on the arc; on the chord where the arc is none."""
        del spot
        (end,) = tuned
        angle = angle_between(base, end)
        chord = line_to(base, tuned, (1.0,), total=1.0, size=1.0)

        def at(alpha: float) -> Array:
            if alpha == 1:
                return end
            if angle is None or not _STRAIGHT < angle < math.pi - _STRAIGHT:
                return chord(alpha)
            near, far = (math.sin(share * angle) / math.sin(angle) for share in (1 - alpha, alpha))
            merged = base * near
            merged += end * far
            return merged

        return at
