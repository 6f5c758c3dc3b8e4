"""How alike two sets of features are, from one pass over the frames and memory that does not grow with them."""

from __future__ import annotations

import torch
from torch import Tensor

_TINY = 1e-12


class Similarity:
    """Linear CKA, cosine and variances of two encoders' features, layer by layer.

    Kept are sums, in fp64: (K, D, D) matrices, whatever the number of frames. They are taken around the mean of the
    first frames, so that the large constant parts some features have do not eat the digits of their variance.
    """

    def __init__(self) -> None:
        self._count = 0
        self._cosine = torch.zeros(())
        self._shift: tuple[Tensor, Tensor] | None = None
        self._sums: list[Tensor] = []
        self._products: list[Tensor] = []

    def add(self, one: Tensor, other: Tensor) -> None:
        """Counts in some frames.

        Args:
            one: (K, T, D) features of K layers.
            other: The same frames by another encoder, (K, T, D).
        """
        if self._shift is None:
            self._shift = one.mean(dim=1, keepdim=True), other.mean(dim=1, keepdim=True)
            layers, _, width = one.shape
            self._cosine = torch.zeros(layers, dtype=torch.float64)
            self._sums = [torch.zeros(layers, width, dtype=torch.float64) for _ in range(2)]
            self._products = [torch.zeros(layers, width, width, dtype=torch.float64) for _ in range(3)]
        self._count += one.shape[1]
        self._cosine += torch.cosine_similarity(one, other, dim=2, eps=_TINY).double().sum(dim=1)
        x, y = one - self._shift[0], other - self._shift[1]
        for total, each in zip(self._sums, (x, y), strict=True):
            total += each.double().sum(dim=1)
        for total, (left, right) in zip(self._products, ((x, x), (x, y), (y, y)), strict=True):
            total += torch.bmm(left.transpose(1, 2), right).double()  # (K, D, T) @ (K, T, D) -> (K, D, D)

    def cosine(self) -> list[float]:
        """Returns each layer's mean cosine of the two feature vectors of a frame."""
        values: list[float] = (self._cosine / self._count).tolist()
        return values

    def cka(self) -> list[float]:
        """Returns each layer's linear CKA: 1 for features that are equal up to rotation and scale, 0 for unrelated.

        Source: Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited", section 3.
        """
        xx, xy, yy = self._covariances()
        norms = xx.flatten(1).norm(dim=1) * yy.flatten(1).norm(dim=1)
        values: list[float] = (xy.flatten(1).norm(dim=1) ** 2 / norms.clamp_min(_TINY)).tolist()
        return values

    def variance_ratio(self) -> list[float]:
        """Returns each layer's total variance of the other's features as a share of the one's."""
        xx, _, yy = (each.diagonal(dim1=1, dim2=2).sum(dim=1) for each in self._covariances())
        values: list[float] = (yy / xx.clamp_min(_TINY)).tolist()
        return values

    def _covariances(self) -> list[Tensor]:
        """The centred products XᵀX, XᵀY, YᵀY, each (K, D, D)."""
        x, y = self._sums
        return [
            product - left[:, :, None] * right[:, None, :] / self._count
            for product, (left, right) in zip(self._products, ((x, x), (x, y), (y, y)), strict=True)
        ]
