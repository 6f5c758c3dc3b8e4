"""Merging the weights of whole models: a plan and a method make a curve, the curve makes weights for any alpha."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from speechft_cli.io.arrays import Array, is_float
from speechft_cli.merging.base import Curve, MergeMethod, Spot
from speechft_cli.merging.filters import Filter, choose, depths
from speechft_cli.merging.inner import apart, precision_of
from speechft_cli.merging.plan import MergePlan
from speechft_cli.merging.weight_norm import half_curve, pairs

Weights = Mapping[str, Array]


def draw(
    method: MergeMethod,
    base: Weights,
    tuned: Sequence[Weights],
    plan: MergePlan,
    *,
    filters: Sequence[Filter] = (),
    whole_kernels: bool = False,
    statistics: Sequence[Weights] = (),
) -> Callable[[float], dict[str, Array]]:
    """Draws the curve of all weights.

    Methods compute in fp32, or in fp64 where a tensor is fp64; the result has the base's dtypes.

    Args:
        method: The merge method with its parameters.
        base: θ0.
        tuned: The θ'_k.
        plan: What is merged and what is kept, made for these very weights.
        filters: What is special for some tensors; the first that means a tensor counts.
        whole_kernels: Merge the kernels of weight-normed convolutions, not their stored halves.
        statistics: What was measured of each tuned model, by tensor, for a method that asks for it.

    Returns:
        alpha → weights with the names of `base`, in its order. At alpha 0, and at any alpha for tensors that are kept
        or that no tuned model has changed, they are the base's own tensors: not copies.
    """
    curve_of = drawer(
        method, base, tuned, plan.merged, filters=filters, whole_kernels=whole_kernels, statistics=statistics
    )
    curves = {name: curve_of(name) for name in plan.merged}

    def at(alpha: float) -> dict[str, Array]:
        return {name: curves[name](alpha) if name in curves else tensor for name, tensor in base.items()}

    return at


def drawer(
    method: MergeMethod,
    base: Weights,
    tuned: Sequence[Weights],
    names: Sequence[str],
    *,
    filters: Sequence[Filter] = (),
    whole_kernels: bool = False,
    moved: Container[str] = (),
    statistics: Sequence[Weights] = (),
) -> Callable[[str], Curve]:
    """Looks at the whole models once, and returns what draws the curve of one tensor by its name, as `draw` does.

    Tensors that are known to have `moved` are not compared with the base again.
    """
    choices, deep = choose(method, filters, names), depths(names)
    halves = pairs(names) if whole_kernels else {}
    used = {choice.method for choice in choices.values()}
    surveys = {each: each.survey([partial(_walk, base, weights, names) for weights in tuned]) for each in used}

    def curve_of(name: str) -> Curve:
        # both halves of a kernel go along one curve, so the direction's filter counts for the length too
        leader = max(name, halves.get(name, name))
        chosen, own = choices[leader], [base[name], *(weights[name] for weights in tuned)]
        # of a kernel nothing was measured, only of its halves
        is_measured = name not in halves and bool(statistics) and all(name in each for each in statistics)
        measured = tuple(each[name] for each in statistics) if is_measured else ()
        spot = Spot(leader, deep[leader], surveys[chosen.method], measured)
        if name in halves:
            other = [base[halves[name]], *(weights[halves[name]] for weights in tuned)]
            curve = _kernel_curve(chosen.method, name, own, other, spot)
        else:
            is_still = name not in moved and not is_changed(own[0], own[1:])
            curve = (lambda _: own[0]) if is_still else _curve(chosen.method, own, spot)
        return lambda alpha: curve(chosen.filter.alpha_of(alpha, spot.depth))

    return curve_of


def is_changed(base: Array, tuned: Iterable[Array]) -> bool:
    """Whether any tuned model has other numbers here than the base."""
    return any(not np.array_equal(*_same_type(tensor, base)) for tensor in tuned)


def distance(one: Array, other: Array) -> float:
    """Returns the Euclidean distance between two tensors, to seven digits; not finite where a number in them is not."""
    if one is other:
        return 0.0
    found = apart(one, other)
    # the square of a large number may overflow where the number does not
    return found if math.isfinite(found) else apart(one.astype(np.float64), other.astype(np.float64))


def total(distances: Iterable[float]) -> float:
    """Returns the Euclidean distance of whole models from the distances of their tensors."""
    return math.hypot(*distances)


def not_finite(weights: Weights, names: Iterable[str]) -> list[str]:
    """Returns the names of the float tensors that hold a NaN or an infinity."""
    return [name for name in names if not is_finite(weights[name])]


def is_finite(tensor: Array) -> bool:
    """Whether a tensor holds neither a NaN nor an infinity."""
    return not is_float(tensor) or bool(np.isfinite(tensor).all())


def _curve(method: MergeMethod, models: Sequence[Array], spot: Spot) -> Curve:
    base, tuned = models[0], models[1:]
    precision = precision_of(models)
    curve = method.curve(_as(base, precision), [_as(tensor, precision) for tensor in tuned], spot)
    return _stored(curve, base)


def _kernel_curve(method: MergeMethod, name: str, own: Sequence[Array], other: Sequence[Array], spot: Spot) -> Curve:
    base = own[0]
    if not is_changed(base, own[1:]) and not is_changed(other[0], other[1:]):
        return lambda _: base
    precision = precision_of([*own, *other])
    ordered = (own, other) if name < spot.name else (other, own)
    lengths, directions = ([_as(tensor, precision) for tensor in each] for each in ordered)
    halves = list(zip(lengths, directions, strict=True))
    curve = half_curve(name, halves[0], halves[1:], lambda kernel, kernels: method.curve(kernel, kernels, spot))
    return _stored(curve, base)


def _stored(curve: Curve, base: Array) -> Curve:
    """The curve in the base's dtype and shape, beginning in the base itself."""

    def at(alpha: float) -> Array:
        # -0.0 + 0 · x is +0.0, so arithmetic alone would not give the base bit for bit
        if alpha == 0:
            return base
        with np.errstate(over="ignore", invalid="ignore"):  # the result is looked at
            return curve(alpha).reshape(base.shape).astype(base.dtype, copy=False)

    return at


def _walk(base: Weights, tuned: Weights, names: Sequence[str]) -> Iterator[tuple[Array, Array]]:
    for name in names:
        precision = precision_of([base[name], tuned[name]])
        yield _as(base[name], precision), _as(tuned[name], precision)


def _as(tensor: Array, precision: type[np.floating]) -> Array:
    # numpy's arithmetic makes numbers, not arrays, of arrays without dimensions
    return np.atleast_1d(tensor.astype(precision, copy=False))


def _same_type(one: Array, other: Array) -> tuple[Array, Array]:
    if one.dtype == other.dtype:
        return one, other
    precision = precision_of([one, other])
    return one.astype(precision, copy=False), other.astype(precision, copy=False)
