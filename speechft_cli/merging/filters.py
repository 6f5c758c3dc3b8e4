"""Which tensors a filter means, and what alpha and parameters they get."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from speechft_cli.merging.base import MergeMethod

#: Name → regular expression over s3prl's tensor names; a filter may say the name.
PRESETS: Mapping[str, str] = {
    "cnn": r"^feature_extractor\.",
    "pos_conv": r"\bpos_conv\b",
    "attention": r"\bself_attn\.",
    "feed_forward": r"\bfc[12]\.",
    "norm": r"layer_norm\b|\bnorm\b",
    "bias": r"\bbias$",
    "layers": r"\blayers\.\d+\.",
}
_LAYER = re.compile(r"\blayers\.(\d+)\.")
#: No encoder has more layers than three digits tell, and each is an alternative of the expression that is made of it.
_LAYERS = re.compile(r"layers? (\d{1,3})(?:-(\d{1,3}))?")


@dataclass(frozen=True)
class Filter:
    """What is special about the tensors that `match` means.

    Attributes:
        match: A preset's name, `layers A-B`, `re:` and a regular expression that is searched for, or a glob over the
            whole name.
        scale: Their alpha is the grid's times this; several numbers are a gradient from the first layer to the last.
        alpha: Their alpha is this whatever the grid's is, except at 0, where all is the base; may be a gradient too.
        parameters: Parameters of the method that are others for them.
    """

    match: str
    scale: tuple[float, ...] = (1.0,)
    alpha: tuple[float, ...] | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def alpha_of(self, alpha: float, depth: float) -> float:
        """Returns the alpha of a tensor at `depth` when the grid's is `alpha`."""
        if alpha == 0:
            return 0.0
        return alpha * at_depth(self.scale, depth) if self.alpha is None else at_depth(self.alpha, depth)


@dataclass(frozen=True)
class Choice:
    """The method and the filter of one tensor."""

    method: MergeMethod
    filter: Filter


def matcher(match: str) -> re.Pattern[str] | None:
    """Returns the regular expression that a filter's `match` stands for; None when it is a glob.

    Raises:
        ValueError: It is no regular expression, or layers that end before they begin.
    """
    if match.startswith("re:"):
        try:
            return re.compile(match.removeprefix("re:"))
        except re.error as error:
            raise ValueError(f"must be a regular expression after 're:', got {match!r}: {error}") from None
    if match in PRESETS:
        return re.compile(PRESETS[match])
    layers = _LAYERS.fullmatch(match)
    if layers is None:
        return None
    first, last = int(layers[1]), int(layers[2] or layers[1])
    if last < first:
        raise ValueError(f"must be 'layers FIRST-LAST', counted from 0, got {match!r}")
    return re.compile(rf"\blayers\.(?:{'|'.join(map(str, range(first, last + 1)))})\.")


def matches(match: str, name: str) -> bool:
    """Whether a filter's `match` means the tensor called `name`."""
    pattern = matcher(match)
    return fnmatchcase(name, match) if pattern is None else pattern.search(name) is not None


def choose(method: MergeMethod, filters: Sequence[Filter], names: Iterable[str]) -> dict[str, Choice]:
    """Returns the choice for each name: of the first filter that means it, or the method's own."""
    plain = Choice(method, Filter("*"))
    choices = [Choice(override(method, each.parameters), each) for each in filters]
    return {name: next((choice for choice in choices if matches(choice.filter.match, name)), plain) for name in names}


def override(method: MergeMethod, parameters: Mapping[str, object]) -> MergeMethod:
    """Returns the method with some parameters changed.

    Raises:
        pydantic.ValidationError: One is unknown or wrong.
    """
    if not parameters:
        return method
    return type(method).model_validate({**method.model_dump(by_alias=True), **parameters})


def depths(names: Iterable[str]) -> dict[str, float]:
    """Returns how deep in the Transformer each tensor sits: 0 in the first layer and outside of all, 1 in the last."""
    layers = {name: layer_of(name) for name in names}
    last = max((layer for layer in layers.values() if layer is not None), default=0)
    return {name: layer / last if layer is not None and last else 0.0 for name, layer in layers.items()}


def layer_of(name: str) -> int | None:
    """Returns the number of the Transformer layer a tensor belongs to, None for the rest."""
    found = _LAYER.search(name)
    return int(found[1]) if found else None


def group_of(name: str) -> str:
    """Returns the part of the encoder that a tensor belongs to: `layers.3`, `feature_extractor`, `encoder.pos_conv`."""
    layer = layer_of(name)
    if layer is not None:
        return f"layers.{layer}"
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "encoder" else parts[0]


def at_depth(values: Sequence[float], depth: float) -> float:
    """Returns the value at `depth` of a gradient, interpolated between its points; one value is the same everywhere."""
    if len(values) == 1:
        return values[0]
    place = depth * (len(values) - 1)
    before = min(int(place), len(values) - 2)
    return values[before] + (values[before + 1] - values[before]) * (place - before)
