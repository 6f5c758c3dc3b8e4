"""Merging the weights of whole models: a plan and a method make a curve, the curve makes weights for any alpha."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from speechft_cli.merging.base import Curve, MergeMethod
from speechft_cli.merging.plan import MergePlan

Weights = Mapping[str, Tensor]


def draw(
    method: MergeMethod, base: Weights, tuned: Sequence[Weights], plan: MergePlan
) -> Callable[[float], dict[str, Tensor]]:
    """Draws the curve of all weights.

    Methods compute in fp32, or in fp64 where a tensor is fp64; the result has the base's dtypes.

    Args:
        method: The merge method.
        base: θ0.
        tuned: The θ'_k.
        plan: What is merged and what is kept, made for these very weights.

    Returns:
        alpha → weights with the names of `base`, in its order. At alpha 0, and for kept tensors at any alpha, they
        are the base's own tensors: not copies.
    """
    curves = {name: _curve(method, base[name], [weights[name] for weights in tuned]) for name in plan.merged}

    def at(alpha: float) -> dict[str, Tensor]:
        return {name: curves[name](alpha) if name in curves else tensor for name, tensor in base.items()}

    return at


def distances(weights: Weights, base: Weights, names: Iterable[str]) -> dict[str, float]:
    """Returns name → Euclidean distance between two tensors, computed in fp64."""
    return {name: (weights[name].double() - base[name].double()).norm().item() for name in names}


def total(distances: Mapping[str, float]) -> float:
    """Returns the Euclidean distance of whole models from the distances of their tensors."""
    return math.hypot(*distances.values())


def not_finite(weights: Weights, names: Iterable[str]) -> list[str]:
    """Returns the names of the float tensors that hold a NaN or an infinity."""
    return [
        name for name in names if weights[name].is_floating_point() and not bool(weights[name].isfinite().all().item())
    ]


def _curve(method: MergeMethod, base: Tensor, tuned: Sequence[Tensor]) -> Curve:
    is_double = any(tensor.dtype == torch.float64 for tensor in (base, *tuned))
    precision = torch.float64 if is_double else torch.float32
    curve = method.curve(base.to(precision), [tensor.to(precision) for tensor in tuned])

    def at(alpha: float) -> Tensor:
        # -0.0 + 0 · x is +0.0, so arithmetic alone would not give the base bit for bit
        return base if alpha == 0 else curve(alpha).to(base.dtype)

    return at
