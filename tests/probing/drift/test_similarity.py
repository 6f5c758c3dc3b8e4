"""Streaming sums against formulas over all frames at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from speechft_cli.probing.drift.similarity import Similarity


def streamed(one: Tensor, other: Tensor) -> Similarity:
    """Frames come in pieces of uneven length, as utterances do."""
    similarity = Similarity()
    for piece, counterpart in zip(one.split([7, 40, 53], dim=1), other.split([7, 40, 53], dim=1), strict=True):
        similarity.add(piece, counterpart)
    return similarity


def gram_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear CKA by its other definition: HSIC of centred frame × frame Gram matrices."""
    count = len(x)
    centre = np.eye(count) - np.ones((count, count)) / count
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    return float((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """Two layers of 100 frames: features that share a part, with a large constant in one dimension as HuBERT has."""
    random = torch.Generator().manual_seed(0)
    one = torch.randn(2, 100, 6, generator=random)
    other = 0.7 * one + 0.5 * torch.randn(2, 100, 6, generator=random)
    one[:, :, 2] += 300.0
    other[:, :, 2] -= 200.0
    return one, other


def test_cka_is_that_of_the_centred_gram_matrices(pair: tuple[Tensor, Tensor]) -> None:
    one, other = pair
    expected = [gram_cka(one[layer].double().numpy(), other[layer].double().numpy()) for layer in range(2)]
    assert streamed(one, other).cka() == pytest.approx(expected, abs=1e-5)
    assert 0.2 < expected[0] < 0.9


def test_cka_does_not_see_rotation_scale_and_shift(pair: tuple[Tensor, Tensor]) -> None:
    one, _ = pair
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q
    assert streamed(one, 3 * one @ rotation + 5).cka() == pytest.approx([1, 1], abs=1e-5)


def test_unrelated_features_have_little_cka() -> None:
    random = torch.Generator().manual_seed(2)
    one, other = torch.randn(1, 5000, 4, generator=random), torch.randn(1, 5000, 4, generator=random)
    similarity = Similarity()
    similarity.add(one, other)
    assert similarity.cka()[0] < 0.01


def test_cosine_is_the_mean_over_frames(pair: tuple[Tensor, Tensor]) -> None:
    one, other = (each.double().numpy() for each in pair)
    products = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    assert streamed(*pair).cosine() == pytest.approx(products.mean(-1).tolist(), abs=1e-5)


def test_the_variance_ratio_is_that_of_all_dimensions_together(pair: tuple[Tensor, Tensor]) -> None:
    one, other = (each.double().numpy() for each in pair)
    expected = other.var(axis=1).sum(-1) / one.var(axis=1).sum(-1)
    assert streamed(*pair).variance_ratio() == pytest.approx(expected.tolist(), rel=1e-4)


def test_what_is_kept_does_not_grow_with_the_frames() -> None:
    similarity = Similarity()
    for _ in range(3):
        similarity.add(torch.randn(2, 1000, 4), torch.randn(2, 1000, 4))
    tensors = [value for value in vars(similarity).values() if isinstance(value, Tensor)]
    tensors += [each for value in vars(similarity).values() if isinstance(value, (list, tuple)) for each in value]
    assert max(each.numel() for each in tensors) == 2 * 4 * 4
