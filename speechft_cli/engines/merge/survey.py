"""One look at every number of base and tuned models: hashes, distances, and whether all is as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from speechft_cli.encoders.checkpoint import DIVERGED, EncoderCheckpoint
from speechft_cli.encoders.formats import check_whole
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.errors import RequestError, SpeechftError, shortened
from speechft_cli.events import Note, Report, counted
from speechft_cli.io.ahead import in_order
from speechft_cli.io.arrays import Array
from speechft_cli.io.hashes import combined_hash, tensor_digest
from speechft_cli.merging.filters import layer_of
from speechft_cli.merging.inner import inner
from speechft_cli.merging.weights import distance, is_finite, total

_NAMES_SHOWN = 10
#: Numbers of each matrix that are compared to tell whether two models have to do with each other.
_SAMPLE = 1 << 15
#: Cosine between a model's matrices and those of the base it was tuned from: far above the first even after a long
#: training from random weights, and between unrelated models within noise of 0.
_DOUBTFUL, _UNRELATED = 0.5, 0.1


@dataclass(frozen=True)
class Survey:
    """What is known of base and tuned models once all of it has been read.

    Attributes:
        hashes: Hash of the weights of the base, then of each tuned model.
        distances: Name → distance from the base for each tuned model, over the merged tensors.
    """

    hashes: Sequence[str]
    distances: Sequence[Mapping[str, float]]

    def of(self, numbers: Sequence[int]) -> Survey:
        """Returns what is known of the base and some of the tuned models."""
        hashes = [self.hashes[0], *(self.hashes[1 + number] for number in numbers)]
        return Survey(hashes, [self.distances[number] for number in numbers])

    @property
    def moved(self) -> set[str]:
        """Names of tensors that have moved; a step that is too short to be squared is not seen."""
        return {name for each in self.distances for name, distance in each.items() if distance}

    @property
    def tuned_distance(self) -> float:
        """Mean distance of the tuned models from the base."""
        return sum(total(each.values()) for each in self.distances) / len(self.distances)


@dataclass(frozen=True)
class _Look:
    """One tensor in all models: digests (None where a model has no such tensor), distances from the base, whether it is
    finite, and products of a sample."""

    digests: Sequence[bytes | None]
    distances: Sequence[float]
    broken: Sequence[bool]
    products: Sequence[tuple[float, float, float]]


def survey(sources: Sources, report: Report, *, allow_unrelated: bool) -> Survey:
    """Reads all tensors once.

    Args:
        sources: The models, which fit together.
        report: Told how far it is, and of doubts.
        allow_unrelated: Whether models that have nothing in common are merged all the same.

    Raises:
        RequestError: A file is damaged, or a tuned model has nothing to do with the base.
        SpeechftError: A model holds a NaN or an infinity; names the tensors.
    """
    models = (sources.base, *sources.tuned)
    with ThreadPoolExecutor(len(models)) as checks:
        are_whole = checks.map(check_whole, models)
        looks = _look_at_all([each.arrays for each in models], set(sources.plan.merged), report)
        list(are_whole)  # a damaged file is damaged before its numbers mean anything
    for number, each in enumerate(models):
        # a tuned model's pre-training head is not looked at: it is never used
        check_finite(str(each.path), (name for name, look in looks.items() if look.broken[number]))
    distances = [
        {name: looks[name].distances[number] for name in sources.plan.merged} for number in range(len(sources.tuned))
    ]
    for number, each in enumerate(sources.tuned):
        _check_related(each, sources.base, _cosine(looks, number), report, allow_unrelated=allow_unrelated)
        if total(distances[number].values()) == 0:
            report(Note(f"{each.path}: has the weights of the base, so there is nothing to merge", important=True))
    digests = [
        {name: digest for name, look in looks.items() if (digest := look.digests[number]) is not None}
        for number in range(len(models))
    ]
    return Survey([combined_hash(each) for each in digests], distances)


def check_finite(where: str, broken: Iterable[str], hint: str = DIVERGED) -> None:
    """Refuses tensors that are not finite.

    Raises:
        SpeechftError: There are any; says `where` and which.
    """
    names = list(broken)
    if names:
        shown = shortened(names, most=_NAMES_SHOWN)
        raise SpeechftError(f"{where}: must be finite, has NaN or Inf in {shown}", hint)


def _look_at_all(models: Sequence[Mapping[str, Array]], merged: set[str], report: Report) -> dict[str, _Look]:
    names = list(dict.fromkeys(name for each in models for name in each))
    job = in_order(lambda name: _look(name, models, name in merged), names)
    return dict(counted(zip(names, job, strict=True), report, "reading and hashing", len(names), "tensors"))


def _look(name: str, models: Sequence[Mapping[str, Array]], is_merged: bool) -> _Look:
    tensors = [each.get(name) for each in models]
    base, tuned = tensors[0], tensors[1:]
    digests = [None if tensor is None else tensor_digest(tensor) for tensor in tensors]
    if base is None or not is_merged:
        return _Look(digests, [], [base is not None and not is_finite(base)] + [False] * len(tuned), [])
    present = [tensor for tensor in tuned if tensor is not None]
    apart = [distance(tensor, base) for tensor in present]
    # a distance is finite only when both ends are, which saves a look at each
    unclear = not all(map(math.isfinite, apart))
    broken = [unclear and not is_finite(tensor) for tensor in (base, *present)]
    products = [_products(base, tensor) for tensor in present] if base.ndim > 1 else []
    return _Look(digests, apart, broken, products)


def _products(base: Array, tuned: Array) -> tuple[float, float, float]:
    a, b = (tensor.reshape(-1)[:_SAMPLE].astype(np.float64) for tensor in (base, tuned))
    return inner(a, a), inner(a, b), inner(b, b)


def _cosine(looks: Mapping[str, _Look], number: int) -> float:
    """Cosine between base and tuned model over a sample of their Transformer matrices, or of all without any."""
    layers = [look for name, look in looks.items() if look.products and layer_of(name) is not None]
    chosen = layers or [look for look in looks.values() if look.products]
    one, both, other = (sum(look.products[number][part] for look in chosen) for part in range(3))
    return both / math.sqrt(one * other) if one > 0 and other > 0 else 1.0


def _check_related(
    tuned: EncoderCheckpoint, base: EncoderCheckpoint, cosine: float, report: Report, *, allow_unrelated: bool
) -> None:
    if cosine >= _DOUBTFUL:
        return
    said = f"{tuned.path}: was hardly tuned from {base.path}: the cosine between their matrices is {cosine:.3f}"
    if cosine < _UNRELATED and not allow_unrelated:
        raise RequestError(
            f"{said}; between them lie no useful encoders",
            "name the checkpoint it was tuned from as base; or --set merge.allow_unrelated=true",
        )
    report(Note(said, important=True))
