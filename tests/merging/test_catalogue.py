"""A contract that every merge method in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.merging.plan import MergePlan
from speechft_cli.merging.weights import draw


@pytest.fixture(params=list(METHODS))
def method(request: pytest.FixtureRequest) -> MergeMethod:
    return METHODS.get(request.param)


def weights(seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(5, 7, generator=generator).to(dtype), "b": -torch.zeros(3, dtype=dtype)}


PLAN = MergePlan(("a", "b"), {})


def test_a_method_has_its_catalogue_name_and_a_source(method: MergeMethod) -> None:
    assert METHODS.get(method.name) is method
    assert METHODS.entry(method.name).source


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_alpha_zero_is_the_base_bit_for_bit_and_any_alpha_keeps_the_dtype(
    method: MergeMethod, dtype: torch.dtype
) -> None:
    base = weights(0, dtype)
    curve = draw(method, base, [weights(1, dtype), weights(2, dtype)], PLAN)

    for name, tensor in curve(0.0).items():
        assert torch.equal(tensor.view(torch.uint8), base[name].view(torch.uint8))
    for alpha in (0.25, 1.0, 1.5):
        assert {(name, t.dtype, t.shape) for name, t in curve(alpha).items()} == {
            (name, t.dtype, t.shape) for name, t in base.items()
        }


def test_a_tuned_model_that_is_the_base_changes_nothing(method: MergeMethod) -> None:
    base = weights(0, torch.float32)
    curve = draw(method, base, [base], PLAN)

    assert torch.equal(curve(0.5)["a"], base["a"])


def test_drawing_a_curve_changes_no_input(method: MergeMethod) -> None:
    base, tuned = weights(0, torch.float32), weights(1, torch.float32)
    curve = draw(method, base, [tuned], PLAN)
    curve(0.5)
    curve(1.0)

    assert torch.equal(base["a"], weights(0, torch.float32)["a"])
    assert torch.equal(tuned["a"], weights(1, torch.float32)["a"])
