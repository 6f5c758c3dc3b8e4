"""A contract that every merge method in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from speechft_cli.io.arrays import to_array, to_tensor
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.merging.plan import MergePlan
from speechft_cli.merging.weights import draw as draw_arrays
from tests.merging.measured import statistics_of

FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
Weights = dict[str, Tensor]


def draw(method: MergeMethod, base: Weights, tuned: Sequence[Weights], plan: MergePlan) -> Callable[[float], Weights]:
    """The curve of whole models, of tensors instead of arrays."""
    arrays, *others = ({name: to_array(each) for name, each in weights.items()} for weights in (base, *tuned))
    curve = draw_arrays(method, arrays, others, plan, statistics=statistics_of(method, others))
    return lambda alpha: {name: to_tensor(each) for name, each in curve(alpha).items()}


@pytest.fixture(params=list(METHODS))
def method(request: pytest.FixtureRequest) -> MergeMethod:
    return METHODS.get(request.param)()


def weights(seed: int, dtype: torch.dtype = torch.float32) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return {
        "encoder.layers.0.fc1.weight": torch.randn(5, 7, generator=generator).to(dtype),
        "encoder.layers.1.fc1.weight": torch.randn(5, 7, generator=generator).to(dtype),
        "minus_zero": -torch.zeros(3, dtype=dtype),
        "empty": torch.zeros(0, 3, dtype=dtype),
        "scalar": torch.randn((), generator=generator).to(dtype),
    }


PLAN = MergePlan(tuple(weights(0)), {})


def models(method: MergeMethod, dtype: torch.dtype = torch.float32, count: int = 2) -> list[Weights]:
    """Tuned models, as many as asked for or as the method takes."""
    return [weights(seed, dtype) for seed in range(1, 1 + min(count, method.most or count))]


def same_bits(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[n].reshape(-1).view(torch.uint8), other[n].reshape(-1).view(torch.uint8)) for n in other)


def test_a_method_has_its_catalogue_name_and_a_source(method: MergeMethod) -> None:
    assert METHODS.get(method.name) is type(method)
    assert METHODS.entry(method.name).source
    assert "Source:" in (type(method).__doc__ or "")


def test_every_parameter_says_what_it_is_and_survives_the_record(method: MergeMethod) -> None:
    assert all(field.description for field in type(method).model_fields.values())
    record = method.model_dump(mode="json", by_alias=True)
    assert type(method).model_validate(record) == method


@pytest.mark.parametrize("dtype", FLOATS)
def test_alpha_zero_is_the_base_bit_for_bit_and_any_alpha_keeps_the_dtype(
    method: MergeMethod, dtype: torch.dtype
) -> None:
    base = weights(0, dtype)
    curve = draw(method, base, models(method, dtype), PLAN)

    assert same_bits(curve(0.0), base)
    for alpha in (-0.5, 0.25, 1.0, 1.5):
        merged = curve(alpha)
        assert list(merged) == list(base)
        assert {(name, t.dtype, t.shape) for name, t in merged.items()} == {
            (name, t.dtype, t.shape) for name, t in base.items()
        }
        assert all(bool(tensor.isfinite().all()) for tensor in merged.values())


def test_tuned_models_that_are_the_base_change_nothing(method: MergeMethod) -> None:
    base = weights(0)
    tuned = [weights(0) for _ in range(max(1, method.fewest))]
    curve = draw(method, base, tuned, PLAN)

    for alpha in (0.25, 1.0, 7.0):
        assert same_bits(curve(alpha), base)


def test_drawing_a_curve_changes_no_input_and_a_curve_can_be_asked_again(method: MergeMethod) -> None:
    base, tuned = weights(0), models(method)
    curve = draw(method, base, tuned, PLAN)
    first = {name: tensor.clone() for name, tensor in curve(0.5).items()}
    curve(1.0)

    assert same_bits(curve(0.5), first)
    assert same_bits(base, weights(0))
    assert all(same_bits(each, weights(seed)) for seed, each in enumerate(tuned, start=1))


def test_the_order_of_the_tuned_models_does_not_matter(method: MergeMethod) -> None:
    if method.most == 1:
        return
    if "density" in type(method).model_fields and "seed" in type(method).model_fields:
        method = type(method).model_validate({"density": 1.0})  # what is dropped depends on the place, by definition
    base = weights(0, torch.float64)
    results = [
        draw(method, base, list(order), PLAN)(0.5)
        for order in itertools.permutations(models(method, torch.float64, count=3))
    ]
    for other in results[1:]:
        for name, tensor in results[0].items():
            torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-12)


def test_a_weight_of_each_model_follows_its_model(method: MergeMethod) -> None:
    if method.most == 1 or "weight" not in type(method).model_fields or "seed" in type(method).model_fields:
        return
    base, (one, two) = weights(0, torch.float64), models(method, torch.float64)
    straight = draw(type(method).model_validate({"weight": [0.2, 0.7]}), base, [one, two], PLAN)(0.5)
    turned = draw(type(method).model_validate({"weight": [0.7, 0.2]}), base, [two, one], PLAN)(0.5)
    for name, tensor in straight.items():
        torch.testing.assert_close(turned[name], tensor, rtol=0, atol=1e-12)


def test_a_wrong_number_of_models_is_a_problem(method: MergeMethod) -> None:
    enough = max(1, method.fewest)
    assert method.wrong_count(enough) is None
    assert method.problems(enough) == []
    if method.fewest > 1:
        assert "must be at least" in str(method.wrong_count(method.fewest - 1))
    if method.most is not None:
        assert "must be exactly" in str(method.wrong_count(method.most + 1))


def test_sizes_say_how_far_alpha_one_goes_when_all_models_agree(method: MergeMethod) -> None:
    """Measured on task vectors that are all the same and of one size, where trimming has nothing to prefer."""
    dense = {name: 1.0 for name in ("density",) if name in type(method).model_fields}
    method = type(method).model_validate(dense)
    count = max(1, method.fewest)
    base = {"encoder.layers.0.w": torch.zeros(50).double(), "encoder.layers.1.w": torch.ones(50).double()}
    tuned = [{name: tensor + 0.125 for name, tensor in base.items()} for _ in range(count)]
    merged = draw(method, base, tuned, MergePlan(tuple(base), {}))(1.0)
    # the last layer, as lines goes all the way only there
    moved = (merged["encoder.layers.1.w"] - base["encoder.layers.1.w"]).mean().item()
    assert math.isclose(moved, 0.125 * sum(method.sizes(count)), rel_tol=1e-6)
