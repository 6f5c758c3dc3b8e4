"""What a merge does with each tensor, known before any of them is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.errors import RequestError, itemised
from speechft_cli.io.arrays import Array, dtype_name, is_float
from speechft_cli.merging.filters import layer_of

HEAD = "pre-training head"
BUFFER = "integer buffer"


@dataclass(frozen=True)
class MergePlan:
    """What happens to each tensor of the base.

    Attributes:
        merged: Names of the tensors that go through the merge method.
        kept: Name → why the base's tensor is kept.
    """

    merged: tuple[str, ...]
    kept: Mapping[str, str]


def plan_merge(
    base: Mapping[str, Array], tuned: Sequence[tuple[str, Mapping[str, Array]]], *, is_kept: Callable[[str], bool]
) -> MergePlan:
    """Decides for each tensor whether it is merged, from names, shapes and dtypes alone.

    Args:
        base: θ0; none of its numbers is looked at.
        tuned: (where it comes from, weights) of each θ'.
        is_kept: Whether the tensor of this name belongs to the pre-training objective, so that the base's is kept
            and a tuned model need not have it.

    Raises:
        RequestError: A tuned model does not fit the base; says every model's likeliest cause and its problems.
    """
    misfits = []
    for where, weights in tuned:
        problems = _problems(base, weights, is_kept)
        if problems:
            misfits.append(f"{where}: does not fit the base: {_cause(base, weights)}{itemised(problems)}")
    if misfits:
        raise RequestError("\n".join(misfits), "merge a base only with models that were fine-tuned from it")
    kept = {name: HEAD for name in base if is_kept(name)}
    kept |= {name: BUFFER for name, tensor in base.items() if name not in kept and not is_float(tensor)}
    return MergePlan(tuple(name for name in base if name not in kept), kept)


def _problems(base: Mapping[str, Array], tuned: Mapping[str, Array], is_kept: Callable[[str], bool]) -> Sequence[str]:
    problems = []
    for name, tensor in base.items():
        if is_kept(name):
            continue
        other = tuned.get(name)
        if other is None:
            problems.append(f"{name}: is missing")
        elif other.shape != tensor.shape:
            problems.append(f"{name}: must have shape {tuple(tensor.shape)}, got {tuple(other.shape)}")
        elif is_float(other) != is_float(tensor):
            problems.append(f"{name}: must be of a kind with {dtype_name(tensor)}, got {dtype_name(other)}")
    problems += [f"{name}: is not in the base" for name in tuned if name not in base and not is_kept(name)]
    return problems


def _cause(base: Mapping[str, Array], tuned: Mapping[str, Array]) -> str:
    """The likeliest cause in plain words."""
    common = base.keys() & tuned.keys()
    if not common:
        return "they have no name in common, so it is of another family or in another format"
    sizes = Counter(
        (mine, other)
        for name in common
        if len(base[name].shape) == len(tuned[name].shape)
        for mine, other in zip(base[name].shape, tuned[name].shape, strict=True)
        if mine != other
    )
    if sizes:
        (mine, other), _ = sizes.most_common(1)[0]
        return f"the tuned checkpoint is of another size: {other}-dim against {mine}-dim"
    layers, own_layers = _layer_count(tuned), _layer_count(base)
    if layers != own_layers:
        return f"the tuned checkpoint is of another depth: {layers} layers against {own_layers}"
    if base.keys() == tuned.keys():
        return "the tuned checkpoint is stored in another way"
    return "the tuned checkpoint is of another architecture, or not all of it was saved"


def _layer_count(names: Mapping[str, Array]) -> int:
    return max((layer + 1 for name in names if (layer := layer_of(name)) is not None), default=0)
