"""What a manifest folder holds: how much, of whom, of what, how long."""

from __future__ import annotations

import itertools
import math
import shlex
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechft_cli.data.manifests.folder import read_splits
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import amount
from speechft_cli.events import Note, Report, Result, Table
from speechft_cli.io.atomic import atomic_path
from speechft_cli.reporting.recordings import draw_durations

_BARS = 12  # rows of the histogram
_WIDTH = 40  # characters of its longest bar
_NAMED = 10  # speakers and values of a label named one by one

Hours = dict[str, float]


@dataclass(frozen=True)
class Stats:
    """What the utterances of one split add up to.

    Attributes:
        durations: Of each [s].
        hours: "speaker", "language" or the name of a label → its values → hours.
        named: The same names → how many utterances have them.
    """

    durations: np.ndarray
    hours: Mapping[str, Hours]
    named: Mapping[str, int]


def stats(folder: Path, *, png: Path | None, report: Report) -> Result:
    """Adds up the manifests of a folder.

    Args:
        folder: The manifest folder.
        png: Where a picture of the durations goes; None for none.
        report: Gets the tables.

    Raises:
        RequestError: There are no manifests, or one is damaged.
    """
    splits = {split: _add_up(utterances) for split, utterances in read_splits(folder).items()}
    report(_splits_table(splits))
    report(_histogram(np.concatenate([each.durations for each in splits.values()])))
    for name in sorted({name for each in splits.values() for name in each.hours}):
        values = {value for each in splits.values() for value in each.hours.get(name, {})}
        count = sum(each.named.get(name, 0) for each in splits.values())
        if len(values) > max(_NAMED, count / 2):  # such as times of phonemes, which each utterance has its own of
            report(Note(f"{name}: {len(values)} values in {count} utterances, without a table"))
        else:
            report(_hours_table(name, splits))
    if png is not None:
        with atomic_path(png) as path:
            path.write_bytes(draw_durations({split: each.durations for split, each in splits.items()}))
        report(Note(f"durations: {png}"))
    total = sum(len(each.durations) for each in splits.values())
    hours = sum(float(each.durations.sum()) for each in splits.values()) / 3600
    return Result(
        summary=f"{amount(total, 'utterances')}, {hours:.2f} h in {', '.join(splits)}",
        output=str(folder.absolute()),
        next_command=shlex.join(["speechft", "data", "show", str(folder)]),
        data={
            "splits": {
                split: {
                    "utterances": len(each.durations),
                    "hours": round(float(each.durations.sum()) / 3600, 6),
                    "seconds": _quantiles(each.durations),
                    "hours_per": {
                        name: {value: round(amount, 6) for value, amount in sorted(values.items())}
                        for name, values in sorted(each.hours.items())
                    },
                }
                for split, each in splits.items()
            },
            "png": None if png is None else str(png),
        },
    )


def _add_up(utterances: Utterances) -> Stats:
    hours: dict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    named: defaultdict[str, int] = defaultdict(int)
    durations = utterances.durations
    for name in ("speaker", "language"):
        for value, seconds in zip(utterances.targets(name), durations.tolist(), strict=True):
            if value is not None:
                hours[name][value] += seconds / 3600
                named[name] += 1
    for labels, seconds in zip(utterances.labels(), durations.tolist(), strict=True):
        for name, value in labels.items():
            hours[name][value] += seconds / 3600
            named[name] += 1
    return Stats(durations, {name: dict(values) for name, values in hours.items()}, named)


def _quantiles(durations: np.ndarray) -> dict[str, float]:
    if not len(durations):
        return {}
    names = {"min": 0, "p10": 10, "median": 50, "p90": 90, "max": 100}
    return {name: round(float(np.percentile(durations, percent)), 3) for name, percent in names.items()}


def _splits_table(splits: Mapping[str, Stats]) -> Table:
    return Table(
        title="splits",
        columns=("split", "utterances", "hours", "speakers", "shortest [s]", "median [s]", "longest [s]"),
        rows=tuple(
            (
                split,
                str(len(each.durations)),
                f"{each.durations.sum() / 3600:.3f}",
                str(len(each.hours.get("speaker", {}))),
                *(f"{each_quantile:.2f}" for each_quantile in _three(each.durations)),
            )
            for split, each in splits.items()
        ),
    )


def _three(durations: np.ndarray) -> tuple[float, float, float]:
    quantiles = _quantiles(durations)
    return quantiles.get("min", 0.0), quantiles.get("median", 0.0), quantiles.get("max", 0.0)


def _histogram(durations: np.ndarray) -> Table:
    borders = _borders(durations)
    counts, _ = np.histogram(durations, bins=borders)
    most = max(1, int(counts.max(initial=0)))
    return Table(
        title="durations",
        columns=("seconds", "utterances", ""),
        rows=tuple(
            (f"{low:g}-{high:g}", str(count), "#" * -(-count * _WIDTH // most))
            for (low, high), count in zip(itertools.pairwise(borders), counts.tolist(), strict=True)
        ),
    )


def _borders(durations: np.ndarray) -> list[float]:
    """Returns round borders [s] of at most a dozen bars."""
    if not len(durations):
        return [0.0, 1.0]
    least, most = float(durations.min()), float(durations.max())
    steps = (size * 10**power for power in itertools.count(-1) for size in (1, 2, 5))
    step = next(step for step in steps if math.floor(most / step) - math.floor(least / step) < _BARS)
    first, end = math.floor(least / step), math.floor(most / step) + 1
    return [round(number * step, 6) for number in range(first, end + 1)]


def _hours_table(name: str, splits: Mapping[str, Stats]) -> Table:
    """Hours of the most frequent values, in all and per split."""
    columns = [each.hours.get(name, {}) for each in splits.values()]
    total = {value: sum(hours.get(value, 0.0) for hours in columns) for hours in columns for value in hours}
    order = sorted(total, key=lambda value: (-total[value], value))
    rows = [
        (value, f"{total[value]:.3f}", *(f"{hours.get(value, 0.0):.3f}" for hours in columns))
        for value in order[:_NAMED]
    ]
    if others := order[_NAMED:]:
        left = (f"{sum(hours.get(value, 0.0) for value in others):.3f}" for hours in (total, *columns))
        rows.append((f"{len(others)} others", *left))
    return Table(title=f"hours per {name}", columns=(name, "hours", *splits), rows=tuple(rows))
