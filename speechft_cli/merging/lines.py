"""LiNeS: shallow layers stay nearer to the base than deep ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Curve, Spot
from speechft_cli.merging.linear import Linear


class LiNeS(Linear):
    """θ0 + α λ(l) · mean_k(θ'_k − θ0) with λ(l) growing linearly with the layer, from `shallow` to `deep`.

    Weights in no numbered layer (the CNN, its projection, the positional convolution) count as the first one.

    Source: Wang et al. 2025, "LiNeS", arXiv 2410.17146, eq. 3.
    """

    name: ClassVar[str] = "lines"
    proviso: ClassVar[str] = "times the λ of each layer"

    shallow: float = 0.0
    """λ of the first layer."""
    deep: float = 1.0
    """λ of the last layer."""

    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Returns alpha → base + alpha · λ(l) · weighted sum of the task vectors."""
        along = super().curve(base, tuned, spot)
        scale = self.scale(spot)
        return lambda alpha: base.copy() if scale == 0 else along(alpha * scale)

    def scale(self, spot: Spot) -> float:
        """Returns λ(l)."""
        return self.shallow + (self.deep - self.shallow) * spot.depth
