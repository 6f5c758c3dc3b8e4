"""Merging the weights of whole models: a plan and a method make a curve, the curve makes weights for any alpha."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from speechft_cli.merging.base import Curve, MergeMethod, Spot
from speechft_cli.merging.filters import Filter, choose, depths
from speechft_cli.merging.inner import length
from speechft_cli.merging.plan import MergePlan

Weights = Mapping[str, Tensor]


def draw(
    method: MergeMethod, base: Weights, tuned: Sequence[Weights], plan: MergePlan, *, filters: Sequence[Filter] = ()
) -> Callable[[float], dict[str, Tensor]]:
    """Draws the curve of all weights.

    Methods compute in fp32, or in fp64 where a tensor is fp64; the result has the base's dtypes.

    Args:
        method: The merge method with its parameters.
        base: θ0.
        tuned: The θ'_k.
        plan: What is merged and what is kept, made for these very weights.
        filters: What is special for some tensors; the first that means a tensor counts.

    Returns:
        alpha → weights with the names of `base`, in its order. At alpha 0, and at any alpha for tensors that are kept
        or that no tuned model has changed, they are the base's own tensors: not copies.
    """
    curves = dict(draw_each(method, base, tuned, plan.merged, filters=filters))

    def at(alpha: float) -> dict[str, Tensor]:
        return {name: curves[name](alpha) if name in curves else tensor for name, tensor in base.items()}

    return at


def draw_each(
    method: MergeMethod,
    base: Weights,
    tuned: Sequence[Weights],
    names: Sequence[str],
    *,
    filters: Sequence[Filter] = (),
) -> Iterator[tuple[str, Curve]]:
    """Yields name and curve of one tensor after the other, as `draw` puts them together."""
    choices = choose(method, filters, names)
    surveys: dict[MergeMethod, tuple[float, ...]] = {}
    for name, depth in depths(names).items():
        chosen = choices[name].method
        if chosen not in surveys:
            surveys[chosen] = chosen.survey([partial(_walk, base, each, names) for each in tuned])
        curve = _curve(chosen, base[name], [each[name] for each in tuned], Spot(name, depth, surveys[chosen]))
        yield name, _filtered(curve, choices[name].filter, depth)


def is_changed(base: Tensor, tuned: Sequence[Tensor]) -> bool:
    """Whether any tuned model has other numbers here than the base."""
    precision = _precision([base, *tuned])
    return any(
        not torch.equal(tensor, base)
        if tensor.dtype == base.dtype
        else not torch.equal(tensor.to(precision), base.to(precision))
        for tensor in tuned
    )


def distances(weights: Weights, base: Weights, names: Iterable[str]) -> dict[str, float]:
    """Returns name → Euclidean distance between two tensors, to seven digits."""
    return {name: distance(weights[name], base[name]) for name in names}


def distance(one: Tensor, other: Tensor) -> float:
    """Returns the Euclidean distance between two tensors; NaN or infinite when one of them holds such a number."""
    precision = _precision([one, other])
    return length(one.to(precision) - other.to(precision))


def total(distances: Iterable[float]) -> float:
    """Returns the Euclidean distance of whole models from the distances of their tensors."""
    return math.hypot(*distances)


def not_finite(weights: Weights, names: Iterable[str]) -> list[str]:
    """Returns the names of the float tensors that hold a NaN or an infinity."""
    return [
        name for name in names if weights[name].is_floating_point() and not bool(weights[name].isfinite().all().item())
    ]


def _curve(method: MergeMethod, base: Tensor, tuned: Sequence[Tensor], spot: Spot) -> Curve:
    if not is_changed(base, tuned):
        return lambda _: base
    precision = _precision([base, *tuned])
    curve = method.curve(base.to(precision), [tensor.to(precision) for tensor in tuned], spot)

    def at(alpha: float) -> Tensor:
        # -0.0 + 0 · x is +0.0, so arithmetic alone would not give the base bit for bit
        return base if alpha == 0 else curve(alpha).to(base.dtype)

    return at


def _filtered(curve: Curve, chosen: Filter, depth: float) -> Curve:
    return lambda alpha: curve(chosen.alpha_of(alpha, depth))


def _walk(base: Weights, tuned: Weights, names: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
    for name in names:
        precision = _precision([base[name], tuned[name]])
        yield base[name].to(precision), tuned[name].to(precision)


def _precision(tensors: Iterable[Tensor]) -> torch.dtype:
    return torch.float64 if any(tensor.dtype == torch.float64 for tensor in tensors) else torch.float32
