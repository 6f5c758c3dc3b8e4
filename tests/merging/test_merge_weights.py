"""Whole models: dtypes, kept tensors and the endpoints, for every method in the catalogue."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from speechft_cli.io.arrays import to_array, to_tensor
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.merging.linear import Linear
from speechft_cli.merging.plan import plan_merge
from speechft_cli.merging.weights import distance, draw, not_finite, total
from tests.merging.measured import statistics_of

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def is_head(name: str) -> bool:
    return name.startswith("final_proj")


def make_weights(seed: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "layer.weight": torch.randn(6, 5, generator=generator).to(dtype),
        "layer.scale": torch.randn((), generator=generator).to(dtype),
        "layer.none": torch.randn(0, 3, generator=generator).to(dtype),
        "norm.count": torch.tensor(seed),
        "mask": torch.tensor([True, False]),
        "final_proj.weight": torch.randn(4, generator=generator).to(dtype),
    }


def bits(tensor: Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


def merge(
    base: dict[str, Tensor], *tuned: dict[str, Tensor], alpha: float, method: MergeMethod | None = None
) -> dict[str, Tensor]:
    start, *ends = ({name: to_array(each) for name, each in weights.items()} for weights in (base, *tuned))
    plan = plan_merge(start, [(str(index), each) for index, each in enumerate(ends)], is_kept=is_head)
    way = method or Linear()
    merged = draw(way, start, ends, plan, statistics=statistics_of(way, ends))(alpha)
    return {name: to_tensor(each) for name, each in merged.items()}


def enough(name: str, *tuned: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """As many tuned models as a method takes."""
    return list(tuned[: METHODS.get(name).most])


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("dtype", FLOATS)
def test_alpha_zero_is_the_base_bit_for_bit(name: str, dtype: torch.dtype) -> None:
    base, tuned = make_weights(0, dtype), make_weights(1, dtype)
    base["layer.weight"][0, 0] = -0.0  # -0.0 + 0 · x is +0.0
    for alpha in (0.0, -0.0):
        merged = merge(base, *enough(name, tuned, make_weights(2, dtype)), alpha=alpha, method=METHODS.get(name)())
        assert list(merged) == list(base)
        assert {key: bits(tensor) for key, tensor in merged.items()} == {key: bits(base[key]) for key in base}


@pytest.mark.parametrize("name", list(METHODS))
@pytest.mark.parametrize("dtype", FLOATS)
def test_dtype_and_shape_are_the_base_s(name: str, dtype: torch.dtype) -> None:
    base = make_weights(0, dtype)
    for other in FLOATS:
        tuned = enough(name, make_weights(1, other), make_weights(2, other))
        merged = merge(base, *tuned, alpha=0.3, method=METHODS.get(name)())
        assert {key: (tensor.dtype, tensor.shape) for key, tensor in merged.items()} == {
            key: (tensor.dtype, tensor.shape) for key, tensor in base.items()
        }


@pytest.mark.parametrize("dtype", FLOATS)
def test_alpha_one_is_the_tuned_model_bit_for_bit(dtype: torch.dtype) -> None:
    base, tuned = make_weights(0, dtype), make_weights(1, dtype)
    merged = merge(base, tuned, alpha=1)
    assert bits(merged["layer.weight"]) == bits(tuned["layer.weight"])


@pytest.mark.parametrize("alpha", [0.25, 1, 3])
def test_head_and_buffers_are_the_base_s(alpha: float) -> None:
    base, tuned = make_weights(0), make_weights(1)
    merged = merge(base, tuned, alpha=alpha)
    assert merged["norm.count"].item() == 0
    assert merged["norm.count"].dtype == torch.int64
    for name in ("mask", "final_proj.weight"):
        assert torch.equal(merged[name], base[name])


@settings(max_examples=40)
@given(alpha=st.floats(-1, 2), dtype=st.sampled_from([torch.float16, torch.bfloat16]))
def test_half_precision_is_rounded_once(alpha: float, dtype: torch.dtype) -> None:
    base, tuned = make_weights(0, dtype), make_weights(1, dtype)
    got = merge(base, tuned, alpha=alpha)["layer.weight"]
    exact = base["layer.weight"].double() + alpha * (tuned["layer.weight"].double() - base["layer.weight"].double())
    # half a unit in the last place of a value, plus fp32's own error on terms of a few units
    spacing = torch.finfo(dtype).eps * exact.abs().clamp(min=torch.finfo(dtype).tiny)
    assert bool(((got.double() - exact).abs() <= 0.5 * spacing + 2e-6).all())


def test_doubles_are_merged_in_double_precision() -> None:
    base, tuned = make_weights(0, torch.float64), make_weights(1, torch.float64)
    base["layer.scale"] = torch.tensor(1.0, dtype=torch.float64)
    tuned["layer.scale"] = torch.tensor(1 + 2**-40, dtype=torch.float64)
    assert merge(base, tuned, alpha=0.5)["layer.scale"].item() == 1 + 2**-41


def test_distance_is_the_norm_over_all_tensors() -> None:
    base = {"a": np.zeros(2), "b": np.zeros(1, np.float16)}
    other = {"a": np.array([1.0, 2.0]), "b": np.array([2.0], np.float16)}
    each = {name: distance(other[name], base[name]) for name in base}
    assert each == {"a": math.sqrt(5), "b": 2.0}
    assert total(each.values()) == 3.0
    assert total([]) == 0.0


def test_nan_and_infinity_are_found_in_float_tensors() -> None:
    weights = {
        "good": np.ones(3),
        "nan": np.array([1.0, math.nan]),
        "inf": np.array([-math.inf], np.float16),
        "count": np.array(3),
        "empty": np.ones(0),
    }
    assert not_finite(weights, weights) == ["nan", "inf"]
    assert not_finite(weights, ["good"]) == []
