"""Fisher merging and RegMean against values by hand and least squares."""

from __future__ import annotations

import numpy as np
import pytest

from speechft_cli.io.arrays import Array
from speechft_cli.merging.base import Spot
from speechft_cli.merging.fisher import Fisher
from speechft_cli.merging.regmean import RegMean
from speechft_cli.merging.statistic import FISHER, GRAM


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def test_fisher_by_hand() -> None:
    base, one, other = (np.array(each) for each in ([0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 2.0, 5.0], [0.0, 9.0, 6.0, 7.0]))
    weights = (np.array([1.0, 3.0, 0.0, 0.0]), np.array([3.0, 1.0, 2.0, 0.0]))
    spot = Spot("a", statistics=weights)
    # (1·4 + 3·0) / 4; (3·5 + 1·9) / 4; only the other counts; nobody's loss depends on it: the mean
    assert Fisher().curve(base, [one, other], spot)(1.0).tolist() == [1.0, 6.0, 6.0, 6.0]
    assert Fisher().curve(base, [one, other], spot)(0.5).tolist() == [0.5, 3.5, 4.0, 4.5]
    # three times the weight: (3·4 + 3·0) / 6; (9·5 + 1·9) / 10; and (3·5 + 7) / 4
    thrice = Fisher.model_validate({"weight": [3, 1]}).curve(base, [one, other], spot)(1.0)
    np.testing.assert_allclose(thrice, [2.0, 5.4, 6.0, 5.5], rtol=1e-15)


def test_without_statistics_a_tensor_is_the_weighted_mean() -> None:
    for method in (Fisher, RegMean):
        curve = method.model_validate({"weight": [3, 1]}).curve(
            np.zeros(2), [np.full(2, 4.0), np.full(2, 8.0)], Spot("a")
        )
        assert curve(1.0).tolist() == [5.0, 5.0]


def test_regmean_is_the_least_squares_solution() -> None:
    base, one, other = (numbers(seed, 3, 4) for seed in range(3))
    inputs = [numbers(3, 50, 4), numbers(4, 50, 4) * [1, 2, 3, 4]]
    grams = tuple(each.T @ each / 50 for each in inputs)
    merged = RegMean(off_diagonal=1.0, ridge=1e-15).curve(base, [one, other], Spot("a", statistics=grams))(1.0)
    outputs = np.concatenate([inputs[0] @ one.T, inputs[1] @ other.T])
    solved = np.linalg.lstsq(np.concatenate(inputs), outputs, rcond=None)[0].T
    np.testing.assert_allclose(merged, solved, rtol=0, atol=1e-12)


def test_regmean_softens_what_lies_off_the_diagonal() -> None:
    base, one, other = (numbers(seed, 3, 4) for seed in range(3))
    grams = tuple(each.T @ each for each in (numbers(3, 50, 4), numbers(4, 50, 4)))
    first, second = (0.9 * gram + 0.1 * np.diag(np.diag(gram)) for gram in grams)
    expected = (one @ first + other @ second) @ np.linalg.inv(first + second)
    curve = RegMean(ridge=1e-15).curve(base, [one, other], Spot("a", statistics=grams))
    np.testing.assert_allclose(curve(1.0), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve(0.25), base + 0.25 * (expected - base), rtol=0, atol=1e-12)
    # with nothing off the diagonal each input is weighed alone
    shares = np.diag(grams[0]) / (np.diag(grams[0]) + np.diag(grams[1]))
    alone = RegMean(off_diagonal=0.0, ridge=1e-15).curve(base, [one, other], Spot("a", statistics=grams))(1.0)
    np.testing.assert_allclose(alone, shares * one + (1 - shares) * other, rtol=0, atol=1e-12)


def test_inputs_that_are_silent_in_all_models_take_the_mean() -> None:
    base, one, other = (numbers(seed, 3, 4) for seed in range(3))
    grams = []
    for seed in (3, 4):
        inputs = numbers(seed, 50, 4) * [1, 1, 0, 1]
        grams.append(inputs.T @ inputs)
    merged = RegMean().curve(base, [one, other], Spot("a", statistics=tuple(grams)))(1.0)
    assert merged[:, 2] != pytest.approx(one[:, 2])
    # the ridge of a model is a thousandth of its mean square, so the one that is louder elsewhere has more to say
    first, second = (np.trace(gram) for gram in grams)
    mean = (first * one + second * other) / (first + second)
    np.testing.assert_allclose(merged[:, 2], mean[:, 2], rtol=0, atol=1e-12)
    nothing = (np.zeros((4, 4)), np.zeros((4, 4)))
    merged = RegMean().curve(base, [one, other], Spot("a", statistics=nothing))(1.0)
    np.testing.assert_allclose(merged, (one + other) / 2, rtol=0, atol=1e-12)


def test_the_ridge_keeps_an_input_that_hardly_speaks_from_answering_for_the_others() -> None:
    """It would get weights of a thousand times the tuned models' for what a loud input has to say."""
    base, one, other = (numbers(seed, 3, 2) for seed in range(3))
    inputs = [numbers(3, 50, 2) * [1, 1e-5] + [[0, 1e-5]] for _ in range(2)]
    inputs[1][:, 1] += 1e-5 * inputs[1][:, 0]
    spot = Spot("a", statistics=tuple(each.T @ each for each in inputs))
    far = RegMean(ridge=1e-15).curve(base, [one, other], spot)(1.0)
    near = RegMean().curve(base, [one, other], spot)(1.0)
    assert np.abs(far[:, 1]).max() > 1000
    assert np.abs(near[:, 1] - (one + other)[:, 1] / 2).max() < 0.05


def test_a_weight_must_be_above_zero() -> None:
    for method in (Fisher, RegMean):
        problems = method.model_validate({"weight": [1, -1]}).problems(2)
        assert problems == [f"weight: must be above 0 in {method.name}, got -1"]


def test_the_room_that_statistics_take_is_known_from_shapes() -> None:
    base = {"a.weight": np.zeros((3, 5), np.float16), "a.bias": np.zeros(3, np.float16)}
    assert FISHER.size(base, tuple(base)) == 4 * (15 + 3)
    assert GRAM.size(base, tuple(base)) == 4 * 25
