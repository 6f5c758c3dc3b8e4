"""The merges that a config asks for besides alphas: methods, weights and filters, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePath

from pydantic import ValidationError

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.complaints import complaint
from speechft_cli.config.sections.merge import FilterSection, MergeSection
from speechft_cli.errors import ConfigError
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.merging.filters import Filter, matcher, matches, override
from speechft_cli.registry import unknown_name

_HINT = "docs/merging.md lists what each method takes and what a filter may say"


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to merge.

    Attributes:
        method: With its parameters.
        filters: What is special for some tensors.
        folder: Its own folder below the output folder; empty when there is no other variant.
    """

    method: MergeMethod
    filters: tuple[Filter, ...]
    folder: PurePath


def variants(section: MergeSection, count: int, *, seed: int, can_measure: bool = False) -> list[Variant]:
    """Returns every method with every list of weights.

    Args:
        section: Names them, their parameters and filters.
        count: Number of tuned models.
        seed: The experiment's, for a method that needs one and is given none.
        can_measure: Whether the caller measures what a method asks for.

    Raises:
        ConfigError: Something can't be; lists all problems.
    """
    problems = _unknown_parameters(section)
    filters, found = _filters(section.filters)
    problems += found
    made = []
    for name in section.methods:
        for weights in section.weights or [[]]:
            given = {**section.parameters, **({"weight": weights} if weights else {})}
            method, found = _configured(name, given, count, seed=seed)
            if method is not None:
                if method.statistic is not None and not can_measure:
                    found.append(f"merge.method: {name} measures the tuned models, which only `speechft merge` does")
                found += _wrong_overrides(method, filters, count)
                parts = [name] * (len(section.methods) > 1) + [_weights_name(weights)] * (len(section.weights) > 1)
                made.append(Variant(method, filters, PurePath(*parts)))
            problems += [problem for problem in found if problem not in problems]
    if problems:
        raise ConfigError(problems, _HINT)
    return made


def unused_filters(variant: Variant, names: Sequence[str]) -> list[str]:
    """Says which filters match none of the tensors that are merged."""
    return [
        f"merge.filters[{number}].match: must match a tensor that is merged, got {each.match!r}"
        for number, each in enumerate(variant.filters)
        if not any(matches(each.match, name) for name in names)
    ]


def _configured(
    name: str, given: Mapping[str, object], count: int, *, seed: int
) -> tuple[MergeMethod | None, list[str]]:
    kind = METHODS.get(name)
    known = _parameters(kind)
    own = {key: value for key, value in given.items() if key in known}
    if "seed" in known:
        own.setdefault("seed", seed)
    try:
        method = kind.model_validate(own)
    except ValidationError as error:
        return None, _problems("merge.parameters", error)
    found = [f"merge.parameters.{problem}" for problem in method.problems(count)]
    wrong = method.wrong_count(count)
    return method, found if wrong is None else [f"merge.tuned: {wrong}", *found]


def _unknown_parameters(section: MergeSection) -> list[str]:
    """Parameters that none of the methods has."""
    known = {parameter for name in section.methods for parameter in _parameters(METHODS.get(name))}
    methods = ", ".join(section.methods)
    problems = []
    for key in section.parameters:
        if key not in known:
            said = unknown_name(key, known) if known else f"must be absent, got {key!r}"
            problems.append(f"merge.parameters: {said}; the method is {methods}")
    if section.weights and "weight" not in known:
        problems.append(f"merge.weights: must be absent, as {methods} weighs no models")
    return problems


def _filters(sections: Sequence[FilterSection]) -> tuple[tuple[Filter, ...], list[str]]:
    filters, problems = [], []
    for number, each in enumerate(sections):
        try:
            matcher(each.match)
        except ValueError as error:
            problems.append(f"merge.filters[{number}].match: {error}")
        alpha = None if each.alpha is None else tuple(each.alpha)
        filters.append(Filter(each.match, tuple(each.scale or (1.0,)), alpha, each.parameters))
    return tuple(filters), problems


def _wrong_overrides(method: MergeMethod, filters: Sequence[Filter], count: int) -> list[str]:
    problems = []
    for number, each in enumerate(filters):
        if not each.parameters:
            continue  # what is wrong with the method itself is said already
        where = f"merge.filters[{number}].parameters"
        try:
            found = override(method, each.parameters).problems(count)
            problems += [f"{where}.{problem}" for problem in found]
        except ValidationError as error:
            problems += _problems(where, error, method=method.name)
    return problems


def _problems(where: str, error: ValidationError, *, method: str = "the method") -> list[str]:
    lines = []
    for each in error.errors():
        key = str(each["loc"][0]) if each["loc"] else ""
        is_unknown = each["type"] == "extra_forbidden"
        lines.append(f"{where}.{key}: {f'is no parameter of {method}' if is_unknown else complaint(each)}")
    return sorted(lines)


def _parameters(kind: type[MergeMethod]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _weights_name(weights: Sequence[float]) -> str:
    return "weights-" + "_".join(alpha_name(Decimal(repr(weight))) for weight in weights)
