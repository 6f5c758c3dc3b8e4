"""Writing one merged encoder: computed, checked, hashed and written in one pass, tensor by tensor."""

from __future__ import annotations

import functools
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from speechft_cli.encoders import FORMATS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.engines.merge.statistics import Measured
from speechft_cli.engines.merge.survey import Survey, check_finite
from speechft_cli.engines.merge.targets import Target
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.io.ahead import in_order
from speechft_cli.io.arrays import Array
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.merge_folder import CARD, write_merge
from speechft_cli.io.records import now
from speechft_cli.io.torch_archive import save_archive
from speechft_cli.io.torch_pickle import Slot
from speechft_cli.merging.base import Curve
from speechft_cli.merging.filters import group_of
from speechft_cli.merging.weights import distance, drawer, is_finite, total
from speechft_cli.reporting.merge_card import merge_card

#: What a merged checkpoint's metadata calls the record of its merge.
LINEAGE = "speechft.merge"
#: Base and tuned models were finite, or nothing would have been merged.
_TOO_FAR = "what was merged is finite, but this goes too far for its dtype: take a smaller alpha, weight or lambda"


@dataclass(frozen=True)
class _Part:
    """One merged tensor and what is known of it."""

    name: str
    array: Array
    distance: float
    is_finite: bool


@dataclass
class _Facts:
    """What is gathered while the tensors of one merged encoder go by."""

    distances: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def passing(self, parts: Iterator[_Part]) -> Iterator[_Part]:
        """Takes note of the parts as they go by."""
        for part in parts:
            self.distances[part.name] = part.distance
            if not part.is_finite:
                self.broken.append(part.name)
            yield part


class Writer:
    """Writes merged encoders, also from several threads; the curves of one variant serve all its alphas."""

    def __init__(
        self,
        sources: Sources,
        survey: Survey,
        targets: Sequence[Target],
        *,
        whole_kernels: bool,
        measured: Mapping[str, Measured],
    ) -> None:
        """Draws no curve yet.

        Args:
            sources: What is merged.
            survey: What is known of it.
            targets: All that will be written.
            whole_kernels: Merge the kernels of weight-normed convolutions, not their stored halves.
            measured: Merge method → what it asked to be measured.
        """
        self._sources = sources
        self._survey = survey
        self._whole_kernels = whole_kernels
        self._measured = measured
        self._turn = threading.Lock()
        self._missing = Counter(target.variant for target in targets)
        self._curve_of: dict[Variant, Callable[[str], Curve]] = {}

    def write(self, target: Target, more: Mapping[str, object]) -> None:
        """Writes one merged encoder with its card and record.

        Args:
            target: What to write.
            more: What is recorded besides: licence of the base, how a soup was chosen.

        Raises:
            SpeechftError: It is not finite somewhere, or can't be written; nothing of it is left.
        """
        write_merge(target.folder, lambda folder: self._fill_in_turn(folder, target, more))

    def _fill_in_turn(self, folder: Path, target: Target, more: Mapping[str, object]) -> Mapping[str, object]:
        # while one waits for the disk, the next may be computed; two computed at once would only take more memory
        with self._turn:
            record = self._fill(folder, target, more)
            self._missing[target.variant] -= 1
            if not self._missing[target.variant]:
                self._curve_of.pop(target.variant)
        return record

    def _fill(self, folder: Path, target: Target, more: Mapping[str, object]) -> Mapping[str, object]:
        self._prepare(target.variant)
        base, facts = self._sources.base, _Facts()
        parts = facts.passing(in_order(lambda name: self._part(name, target), base.arrays))
        hashes: dict[Path, str] = {}
        if list(target.files) == ["s3prl"]:
            (name,) = target.files.values()
            tree = base.tree_of({key: Slot.of(array) for key, array in base.arrays.items()})
            hashes[folder / name] = save_archive(tree, folder / name, (part.array for part in parts))
            check_finite(target.name, facts.broken, _TOO_FAR)
            record = self._record(target, facts, more)
        else:
            merged = base.with_weights(Tensors({part.name: part.array for part in parts}))
            check_finite(target.name, facts.broken, _TOO_FAR)
            record = self._record(target, facts, more)
            hashes = _save(merged, folder, target.files, record)
        (folder / CARD).write_text(merge_card(record, target.files), encoding="utf-8")
        files = {
            str(path.relative_to(folder)): {
                "bytes": path.stat().st_size,
                "sha256": hashes.get(path) or file_hash(path),
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != CARD
        }
        output = cast("Mapping[str, object]", record["output"])
        size = sum(int(str(each["bytes"])) for each in files.values())
        return {**record, "output": {**output, "bytes": size, "files": files}}

    def _part(self, name: str, target: Target) -> _Part:
        base = self._sources.base.arrays[name]
        is_merged = name in self._survey.distances[0]
        merged = self._curve_of[target.variant](name)(float(target.alpha)) if is_merged else base
        if merged is base:
            return _Part(name, base, 0.0, True)
        far = distance(merged, base)
        # a distance is finite only when both ends are; a large one may still be of finite numbers
        return _Part(name, merged, far, math.isfinite(far) or is_finite(merged))

    def _prepare(self, variant: Variant) -> None:
        """Lets the method look at the whole models, once for all alphas of a variant."""
        if variant not in self._curve_of:
            measured = self._measured.get(variant.method.name)
            curve_of = drawer(
                variant.method,
                self._sources.base.arrays,
                [each.arrays for each in self._sources.tuned],
                self._sources.plan.merged,
                filters=variant.filters,
                whole_kernels=self._whole_kernels,
                moved=self._survey.moved,
                statistics=() if measured is None else measured.arrays,
            )
            # a curve that is asked for once need not be kept
            self._curve_of[variant] = functools.cache(curve_of) if self._missing[variant] > 1 else curve_of

    def _record(self, target: Target, facts: _Facts, more: Mapping[str, object]) -> dict[str, object]:
        output = {
            **cast("Mapping[str, object]", target.record["output"]),
            "distance": total(facts.distances.values()),
            "tuned_distance": self._survey.tuned_distance,
            "moved": _moved(facts.distances, self._survey.distances),
        }
        measured = self._measured.get(target.variant.method.name)
        own = {} if measured is None else {"measured": measured.record}
        return {**target.record, **own, **more, "output": output, "created": now()}


def _save(
    merged: EncoderCheckpoint, folder: Path, files: Mapping[str, str], record: Mapping[str, object]
) -> dict[Path, str]:
    metadata = {LINEAGE: json.dumps(record, ensure_ascii=False, default=str)}
    hashes: dict[Path, str] = {}
    for name, file in files.items():
        hashes |= FORMATS.get(name).save(merged, folder / file, metadata)
    return hashes


def _moved(merged: Mapping[str, float], tuned: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    """Group of tensors → distance from the base, where the tuned models' mean distance is 1; None where that is 0."""
    groups: dict[str, list[str]] = {}
    for name in tuned[0]:
        groups.setdefault(group_of(name), []).append(name)
    found: dict[str, float | None] = {}
    for group, names in groups.items():
        whole = sum(total(each[name] for name in names) for each in tuned) / len(tuned)
        found[group] = total(merged[name] for name in names) / whole if whole else None
    return found
