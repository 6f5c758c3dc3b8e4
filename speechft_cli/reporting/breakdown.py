"""Who gains and who loses: a task's first metric by class or by speaker, from what the probes predicted on test."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.events import Table
from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.metrics import mean

#: Groups shown at either end; who is in between changed least.
_SHOWN = 10


@dataclass(frozen=True)
class Prediction:
    """What was predicted for one utterance: by the probe of each seed."""

    id: str
    target: str
    predictions: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """One class or speaker.

    Attributes:
        name: The class or the speaker.
        count: Utterances.
        values: Encoder → first metric over these utterances alone, the mean over the seeds.
    """

    name: str
    count: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Breakdown:
    """One task, group by group.

    Attributes:
        task: The task.
        kind: What a group is: class or speaker.
        metric: What is measured.
        encoders: The first is what the others are held against; the last is what groups are sorted by.
        groups: Worst change first.
    """

    task: str
    kind: str
    metric: Metric
    encoders: tuple[str, ...]
    groups: tuple[Group, ...]


def read_predictions(path: Path) -> list[Prediction]:
    """Reads the predictions of one encoder on one task; no file, or a broken one, is no predictions."""
    found = []
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in text.removesuffix("\n").split("\n"):
        try:
            values = json.loads(line)
            found.append(Prediction(str(values["id"]), str(values["target"]), tuple(map(str, values["predictions"]))))
        except (ValueError, KeyError, TypeError):
            return []
    return found


def break_down(
    predictions: Mapping[str, Sequence[Prediction]],
    groups: Mapping[str, str | None],
    *,
    task: str,
    kind: str,
    metric: Metric,
    score: Callable[[Sequence[str], Sequence[str]], Mapping[str, float]],
) -> Breakdown | None:
    """Scores every group on its own.

    Args:
        predictions: Encoder → its predictions; the first is what the others are held against.
        groups: Id of an utterance → its group; None for no group.
        task: Name of the task.
        kind: What a group is.
        metric: What to look at.
        score: Predictions and references → metric → value, as the task does it.

    Returns:
        The groups that every encoder has a finite value for; None when there are fewer than two, or one encoder only.
    """
    encoders = tuple(label for label, each in predictions.items() if each)
    members: dict[str, dict[str, list[Prediction]]] = {}
    for label in encoders:
        for each in predictions[label]:
            name = groups.get(each.id)
            if name is not None:
                members.setdefault(name, {}).setdefault(label, []).append(each)
    found = []
    for name, by_encoder in members.items():
        values = {label: _mean(score, metric, by_encoder.get(label, [])) for label in encoders}
        if all(map(math.isfinite, values.values())):
            found.append(Group(name, len(by_encoder[encoders[0]]), values))
    if len(found) < 2 or len(encoders) < 2:
        return None
    sign = 1 if metric.better == "higher" else -1
    found.sort(key=lambda each: (sign * (each.values[encoders[-1]] - each.values[encoders[0]]), each.name))
    return Breakdown(task, kind, metric, encoders, tuple(found))


def breakdown_table(found: Breakdown) -> Table:
    """Returns a row per group, worst change first; of many only both ends."""
    first, last = found.encoders[0], found.encoders[-1]
    columns = (found.kind, "utterances", *(f"{label} {found.metric.unit}" for label in found.encoders), f"Δ {first}")
    rows = [
        (
            each.name,
            str(each.count),
            *(f"{each.values[label]:.2f}" for label in found.encoders),
            f"{each.values[last] - each.values[first]:+.2f}",
        )
        for each in shown(found.groups)
    ]
    more = len(found.groups) - len(rows)
    left_out = f"; {more} in between left out" if more else ""
    return Table(f"{found.task}: {found.metric.title} by {found.kind}{left_out}", columns, tuple(rows))


def shown(groups: Sequence[Group]) -> list[Group]:
    """Returns all groups, or of many those that changed most for the worse and for the better."""
    return list(groups) if len(groups) <= 2 * _SHOWN else [*groups[:_SHOWN], *groups[-_SHOWN:]]


def _mean(
    score: Callable[[Sequence[str], Sequence[str]], Mapping[str, float]], metric: Metric, members: Sequence[Prediction]
) -> float:
    """The mean over the seeds of the metric over these utterances; nan for none."""
    targets = [each.target for each in members]
    seeds = zip(*(each.predictions for each in members), strict=True)
    values = [score(predicted, targets)[metric.name] for predicted in seeds]
    return mean(values) if values else math.nan
