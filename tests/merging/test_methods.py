"""The methods beside linear, against values worked out by hand or by an independent formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from speechft_cli.io.arrays import Array
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import Spot
from speechft_cli.merging.magnitudes import kth_largest, kth_largest_of_all
from speechft_cli.merging.plan import MergePlan
from speechft_cli.merging.sphere import angle_between, mean_on_sphere
from speechft_cli.merging.weights import draw

SPOT = Spot("encoder.layers.1.fc1.weight", depth=0.5)


def merged(name: str, base: list[float], *tuned: list[float], alpha: float = 1.0, **parameters: object) -> list[float]:
    """Merges short lists of numbers with one tensor's worth of a method."""
    arrays = [np.array(each, dtype=np.float64) for each in (base, *tuned)]
    method = METHODS.get(name).model_validate(parameters)
    return [round(value, 12) for value in method.curve(arrays[0], arrays[1:], SPOT)(alpha).tolist()]


def random_array(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def test_a_negative_weight_takes_a_task_away() -> None:
    assert merged("task_arithmetic", [1.0, 2.0], [2.0, 2.0], [1.0, 5.0], weight=[1, -0.5]) == [2.0, 0.5]
    assert merged("task_arithmetic", [1.0], [2.0], **{"lambda": 3.0}) == [4.0]


def test_ties_by_hand() -> None:
    # Yadav et al.: of each vector the largest half stays; +4 −3: plus wins; −5 +1: only −5 is left after trimming
    one, other = [4.0, -5.0, 0.1, 0.2], [-3.0, 1.0, 0.1, 2.0]
    assert merged("ties", [0.0] * 4, one, other, density=0.5) == [4.0, -5.0, 0.0, 2.0]
    assert merged("ties", [0.0] * 4, one, other, density=1.0) == [4.0, -5.0, 0.2, 2.2]
    assert merged("ties", [0.0] * 4, one, other, density=1.0, normalize=True) == [4.0, -5.0, 0.1, 1.1]


def test_weights_say_who_is_elected() -> None:
    assert merged("ties", [0.0], [4.0], [-3.0], density=1.0, weight=[1, 2]) == [-6.0]


def test_ties_over_the_model_may_empty_a_tensor_and_fill_another() -> None:
    base = {"a": np.zeros(4), "b": np.zeros(4)}
    tuned = {"a": np.array([1.0, 2.0, 3.0, 4.0]), "b": np.array([10.0, -20.0, 30.0, -40.0])}
    method = METHODS.get("ties").model_validate({"density": 0.5, "trim": "model"})
    merged = draw(method, base, [tuned], MergePlan(("a", "b"), {}))(1.0)
    assert merged["a"].tolist() == [0.0] * 4
    assert merged["b"].tolist() == tuned["b"].tolist()


def test_breadcrumbs_by_hand() -> None:
    vector = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9, -10.0]
    # a tenth off the top, then seven tenths are kept
    kept = [0.0, 0.0, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9, 0.0]
    assert merged("breadcrumbs", [0.0] * 10, vector, density=0.7, gamma=0.1) == kept
    assert merged("breadcrumbs", [0.0] * 10, vector, density=1.0, gamma=0.1) == vector
    assert merged("breadcrumbs", [0.0] * 10, vector, density=0.0) == [0.0] * 10


def test_breadcrumbs_keeps_changes_that_are_all_of_one_size() -> None:
    vector = [0.5, -0.5] * 5
    assert merged("breadcrumbs", [0.0] * 10, vector, density=0.7, gamma=0.1) == vector


def test_lines_grows_with_the_layer_and_leaves_the_first_alone() -> None:
    names = ("feature_extractor.w", *(f"encoder.layers.{layer}.w" for layer in range(3)))
    base, tuned = ({name: np.full((2,), value) for name in names} for value in (1.0, 2.0))
    method = METHODS.get("lines")()
    merged = draw(method, base, [tuned], MergePlan(names, {}))(0.5)
    assert [merged[name][0].item() for name in names] == [1.0, 1.0, 1.25, 1.5]
    method = METHODS.get("lines").model_validate({"shallow": 0.5, "deep": 1.5})
    merged = draw(method, base, [tuned], MergePlan(names, {}))(1.0)
    assert [merged[name][0].item() for name in names] == [1.5, 1.5, 2.0, 2.5]


def test_slerp_turns_a_quarter_circle_evenly() -> None:
    third = merged("slerp", [1.0, 0.0], [0.0, 1.0], alpha=1 / 3)
    assert third == [round(math.cos(math.pi / 6), 12), round(math.sin(math.pi / 6), 12)]
    assert merged("slerp", [0.0, 0.0], [2.0, 4.0], alpha=0.5) == [1.0, 2.0]  # zero has no direction


def test_slerp_and_karcher_of_one_model_end_in_it_bit_for_bit() -> None:
    base, tuned = random_array(0, 30), random_array(1, 30)
    for name in ("slerp", "karcher"):
        assert np.array_equal(METHODS.get(name)().curve(base, [tuned], SPOT)(1), tuned)


def test_karcher_of_one_model_runs_along_slerp_s_arc_when_the_lengths_are_equal() -> None:
    base, tuned = (random_array(seed, 200).astype(np.float64) for seed in (0, 1))
    tuned *= np.linalg.norm(base) / np.linalg.norm(tuned)
    for alpha in (0.1, 0.25, 0.8):
        arc = METHODS.get("slerp")().curve(base, [tuned], SPOT)(alpha)
        mean = METHODS.get("karcher").model_validate({"max_iter": 100, "tol": 1e-12}).curve(base, [tuned], SPOT)(alpha)
        np.testing.assert_allclose(mean, arc, rtol=0, atol=1e-9)


def test_the_mean_of_three_axes_points_at_the_middle() -> None:
    identity = [[float(i == j) for j in range(3)] for i in range(3)]
    mean = mean_on_sphere(identity, (1 / 3,) * 3, most_steps=50, tolerance=1e-12)
    assert all(math.isclose(each, 1 / math.sqrt(3), rel_tol=1e-9) for each in mean)


def test_a_small_angle_keeps_its_digits() -> None:
    one = np.array([1.0, 0.0])
    for angle in (1e-7, 1e-3, 1.0, 3.0):
        other = 5 * np.array([math.cos(angle), math.sin(angle)])
        found = angle_between(one, other)
        assert found is not None
        assert math.isclose(found, angle, rel_tol=1e-8)


def test_model_stock_by_hand() -> None:
    # cos 60° = 1/2 between the task vectors: t = 2 · 1/2 / (1 + 1/2) = 2/3
    one, other = [1.0, 0.0], [0.5, math.sqrt(3) / 2]
    expected = [2 / 3 * 0.75, 2 / 3 * math.sqrt(3) / 4]
    assert merged("model_stock", [0.0, 0.0], one, other) == [round(value, 12) for value in expected]
    assert merged("model_stock", [0.0, 0.0], [1.0, 0.0], [-1.0, 0.5]) == [0.0, 0.0]  # they pull apart


# DARE


def dropped(seed: int = 0, name: str = "a", density: float = 0.3, **parameters: object) -> Array:
    method = METHODS.get("dare_linear").model_validate({"seed": seed, "density": density, **parameters})
    return method.curve(np.zeros(20_000, np.float32), [np.ones(20_000, np.float32)], Spot(name))(1.0)


def test_dare_keeps_a_share_and_rescales_it_to_the_same_expectation() -> None:
    kept = dropped()
    share = np.count_nonzero(kept) / kept.size
    assert abs(share - 0.3) < 0.015  # 4.6 standard deviations
    assert np.array_equal(np.unique(kept[kept != 0]), [np.float32(1) / np.float32(0.3)])
    assert np.unique(dropped(rescale=False)).tolist() == [0.0, 1.0]
    assert np.count_nonzero(dropped(density=0.0)) == 0


def test_dare_drops_the_same_for_a_seed_and_a_name_and_else_something_else() -> None:
    assert np.array_equal(dropped(), dropped())
    assert not np.array_equal(dropped(), dropped(seed=1))
    assert not np.array_equal(dropped(), dropped(name="b"))
    both = METHODS.get("dare_linear").model_validate({"density": 0.3, "rescale": False})
    twice = both.curve(np.zeros(20_000), [np.ones(20_000)] * 2, Spot("a"))(1.0)
    assert set(np.unique(twice).tolist()) == {0.0, 1.0, 2.0}  # each model loses elements of its own


def test_dare_leaves_the_global_random_state_alone() -> None:
    np.random.seed(0)
    expected = np.random.random(3)
    np.random.seed(0)
    dropped()
    assert np.array_equal(np.random.random(3), expected)


# thresholds


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60),
    share=st.floats(0, 1),
    cut=st.integers(0, 60),
)
def test_the_threshold_over_many_tensors_is_that_of_all_numbers_together(
    values: list[float], share: float, cut: int
) -> None:
    array = np.array(values, np.float32)
    parts = [array[:cut], array[cut:]]
    wanted = int(share * len(values))
    expected = sorted((abs(value) for value in values), reverse=True)[wanted - 1] if wanted else math.inf
    assert kth_largest_of_all(lambda: parts, share) == expected
    assert kth_largest(np.abs(array), wanted) == expected


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ties", {"density": 1.5}),
        ("ties", {"trim": "layer"}),
        ("dare_ties", {"dropout": 0.1}),
        ("linear", {"weight": "half"}),
        ("karcher", {"max_iter": 0}),
        ("task_arithmetic", {"lambda": math.nan}),
    ],
)
def test_wrong_parameters_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        METHODS.get(name).model_validate(parameters)
