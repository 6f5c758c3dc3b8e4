"""The linear method against the published formula and against exact arithmetic, beside what all methods keep."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from speechft_cli.io.arrays import to_array, to_tensor
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import Spot
from speechft_cli.merging.linear import Linear

ALPHAS = st.floats(-2, 3, allow_nan=False)
VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8)


def single(value: float) -> float:
    """Rounds to fp32 without torch."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def curve_of(base: Tensor, tuned: list[Tensor]) -> Callable[[float], Tensor]:
    curve = Linear().curve(to_array(base), [to_array(each) for each in tuned], Spot("encoder.layers.0.fc1.weight"))
    return lambda alpha: to_tensor(curve(alpha))


def random_tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_catalogue_names_it_with_its_paper() -> None:
    assert METHODS.get("linear") is Linear
    assert Linear.name == "linear"
    assert "2502.12672" in METHODS.entry("linear").source


@given(base=VALUES, tuned=VALUES, alpha=ALPHAS)
def test_it_rounds_exactly_where_the_published_formula_does(
    base: list[float], tuned: list[float], alpha: float
) -> None:
    if alpha == 1:
        return
    length = min(len(base), len(tuned))
    got = curve_of(torch.tensor(base[:length]), [torch.tensor(tuned[:length])])(alpha)
    # base + alpha * (tuned - base), each operation done exactly enough in fp64 and rounded once to fp32
    expected = [
        single(b + single(single(alpha) * single(t - b))) for b, t in zip(base[:length], tuned[:length], strict=True)
    ]
    assert got.tolist() == expected


def test_it_equals_the_published_expression_bit_for_bit_on_large_tensors() -> None:
    base, tuned = random_tensor(0, 300, 700), random_tensor(1, 300, 700)
    for alpha in (0.25, 0.3, 0.7, -0.5, 1.5):
        assert torch.equal(curve_of(base, [tuned])(alpha), base + alpha * (tuned - base))


def test_several_models_equal_the_published_expression_bit_for_bit() -> None:
    base, *tuned = (random_tensor(seed, 50, 70) for seed in range(4))
    expected = base + 0.25 * (sum(each - base for each in tuned) / len(tuned))
    assert torch.equal(curve_of(base, tuned)(0.25), expected)


def test_alpha_one_is_the_one_tuned_model_itself() -> None:
    base, tuned = random_tensor(0, 1000), random_tensor(1, 1000)
    assert not torch.equal(base + (tuned - base), tuned)  # what rounding would make of it
    assert torch.equal(curve_of(base, [tuned])(1.0), tuned)


def test_alpha_one_with_several_models_is_their_mean() -> None:
    base, *tuned = (random_tensor(seed, 20).double() for seed in range(4))
    mean = (tuned[0] + tuned[1] + tuned[2]) / 3
    torch.testing.assert_close(curve_of(base, tuned)(1.0), mean, rtol=0, atol=1e-14)


@settings(max_examples=50)
@given(first=ALPHAS, second=ALPHAS)
def test_it_is_linear_in_alpha(first: float, second: float) -> None:
    curve = curve_of(random_tensor(0, 30).double(), [random_tensor(1, 30).double()])
    middle = (curve(first) + curve(second)) / 2
    torch.testing.assert_close(curve((first + second) / 2), middle, rtol=0, atol=1e-12)


def test_the_length_of_the_step_is_alpha_times_the_task_vector() -> None:
    base, tuned = random_tensor(0, 500).double(), random_tensor(1, 500).double()
    step = curve_of(base, [tuned])(0.25) - base
    assert math.isclose(step.norm().item(), 0.25 * (tuned - base).norm().item(), rel_tol=1e-12)
