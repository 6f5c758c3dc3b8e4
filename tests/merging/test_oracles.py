"""Our methods against other people's implementations, where the definitions agree."""

from __future__ import annotations

import pytest
import torch
from mergekit.merge_methods.api import merge_tensors
from peft.utils.merge_utils import task_arithmetic as peft_task_arithmetic
from peft.utils.merge_utils import ties as peft_ties
from torch import Tensor

from speechft_cli.io.arrays import to_array, to_tensor
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import Spot

SPOT = Spot("encoder.layers.0.fc1.weight", depth=0.0)
WEIGHTS = [0.3, 0.6, 0.4]


def tensors(count: int, scale: float = 0.05) -> tuple[Tensor, list[Tensor]]:
    """A base and models near it; in fp64, so that only definitions can differ."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(40, 25, generator=generator).double()
    return base, [base + scale * torch.randn(40, 25, generator=generator).double() for _ in range(count)]


def ours(name: str, base: Tensor, tuned: list[Tensor], alpha: float = 1.0, **parameters: object) -> Tensor:
    curve = METHODS.get(name).model_validate(parameters).curve(to_array(base), list(map(to_array, tuned)), SPOT)
    return to_tensor(curve(alpha))


def mergekit(name: str, base: Tensor, tuned: list[Tensor], **parameters: object) -> Tensor:
    """mergekit on a base and models tuned from it."""
    return merge_tensors([base, *tuned], name, parameters=parameters, base_index=0)


def agree(one: Tensor, other: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("normalize", [False, True])
def test_task_arithmetic_is_mergekit_s(count: int, normalize: bool) -> None:
    base, tuned = tensors(count)
    given: dict[str, object] = {"weight": WEIGHTS[:count], "normalize": normalize, "lambda": 0.7}
    agree(ours("task_arithmetic", base, tuned, **given), mergekit("task_arithmetic", base, tuned, **given))


def test_task_arithmetic_is_peft_s() -> None:
    base, tuned = tensors(3)
    expected = base + peft_task_arithmetic([each - base for each in tuned], torch.tensor(WEIGHTS, dtype=torch.float64))
    agree(ours("task_arithmetic", base, tuned, weight=WEIGHTS), expected)


def test_linear_is_mergekit_s_average_of_the_tuned_models_at_alpha_one() -> None:
    base, tuned = tensors(3)
    expected = merge_tensors(tuned, "linear", parameters={"weight": [1.0, 1.0, 1.0]})
    agree(ours("linear", base, tuned), expected)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("density", [0.2, 0.75, 1.0])
@pytest.mark.parametrize("normalize", [False, True])
def test_ties_is_mergekit_s(count: int, density: float, normalize: bool) -> None:
    base, tuned = tensors(count)
    given: dict[str, object] = {"weight": WEIGHTS[:count], "density": density, "normalize": normalize, "lambda": 0.7}
    # mergekit divides by weights it holds in fp32
    agree(ours("ties", base, tuned, **given), mergekit("ties", base, tuned, **given), 1e-8 if normalize else 1e-12)


def test_normalized_ties_with_equal_weights_is_peft_s_and_so_the_paper_s_disjoint_mean() -> None:
    base, tuned = tensors(3)
    expected = base + peft_ties([each - base for each in tuned], torch.ones(3).double(), density=0.2)
    agree(ours("ties", base, tuned, density=0.2, normalize=True), expected)


def test_one_tuned_model_moves_by_alpha_and_not_by_one_as_in_mergekit() -> None:
    base, tuned = tensors(1)
    kept = ours("ties", base, tuned, density=1.0, alpha=0.25)
    agree(kept, base + 0.25 * (tuned[0] - base))
    agree(mergekit("ties", base, tuned, weight=[0.25], density=1.0), tuned[0])  # its weight cancels


@pytest.mark.parametrize("name", ["dare_linear", "dare_ties"])
def test_dare_that_drops_nothing_is_mergekit_s(name: str) -> None:
    base, tuned = tensors(3)
    given: dict[str, object] = {"weight": WEIGHTS, "density": 1.0, "lambda": 0.7}
    agree(ours(name, base, tuned, **given), mergekit(name, base, tuned, **given))


@pytest.mark.parametrize("density", [0.5, 0.9])
def test_breadcrumbs_is_mergekit_s(density: float) -> None:
    base, tuned = tensors(3)
    given: dict[str, object] = {"weight": WEIGHTS, "density": density, "gamma": 0.05, "lambda": 0.7}
    agree(ours("breadcrumbs", base, tuned, **given), mergekit("breadcrumbs", base, tuned, **given))


@pytest.mark.parametrize("count", [2, 3])
def test_model_stock_at_alpha_one_is_mergekit_s(count: int) -> None:
    base, tuned = tensors(count)
    tuned = [each + 0.1 for each in tuned]  # so that the task vectors have something in common
    agree(ours("model_stock", base, tuned), mergekit("model_stock", base, tuned))


def test_karcher_at_alpha_one_is_mergekit_s_mean_of_the_tuned_models() -> None:
    base, tuned = tensors(3, scale=0.5)
    agree(ours("karcher", base, tuned, tol=1e-12), merge_tensors(tuned, "karcher", parameters={"tol": 1e-12}), 1e-7)


def test_karcher_of_one_model_is_mergekit_s_mean_of_base_and_model_in_the_middle() -> None:
    base, tuned = tensors(1, scale=0.5)
    expected = merge_tensors([base, *tuned], "karcher", parameters={"tol": 1e-12})
    agree(ours("karcher", base, tuned, alpha=0.5, tol=1e-12), expected, 1e-7)


@pytest.mark.parametrize("t", [0.25, 0.6])
def test_slerp_is_mergekit_s_where_the_angle_is_wide(t: float) -> None:
    base, tuned = tensors(1, scale=1.0)
    # it interpolates row by row, so that one row is the whole tensor
    expected = mergekit("slerp", base.reshape(1, -1), [tuned[0].reshape(1, -1)], t=t).reshape_as(base)
    agree(ours("slerp", base, tuned, alpha=t), expected, 1e-9)
