"""scores.jsonl: one line per encoder, task, split and metric, with everything the figure depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from speechft_cli.reporting.json_lines import read_lines
from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.metrics import mean

#: Told in the settings, so that scores of another protocol are never taken for these.
PROTOCOL = "superb-weighted-sum-2"


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validated figure; see `Score`, whose value is the mean over folds.

    Attributes:
        name: The value of the manifests' field that this fold tests on.
        values: One per seed, on this fold's split.
        learning_rate: The one that was best on this fold's dev.
        tried: Learning rates tried on this fold's dev.
        is_edge: Whether the best is the smallest or the largest of them.
        steps: Updates the best probe of each seed was trained for.
        utterances: Utterances scored.
    """

    name: str
    values: tuple[float, ...]
    learning_rate: float | None
    tried: tuple[tuple[float, float], ...]
    is_edge: bool
    steps: tuple[int, ...]
    utterances: int

    @property
    def value(self) -> float:
        """Mean over the seeds."""
        return mean(self.values)


@dataclass(frozen=True)
class Score:
    """One figure: a metric of one encoder on one split of one task, over all seeds.

    Attributes:
        label: The encoder's name.
        weights_hash: SHA-256 of the weights that were loaded and scored.
        configuration: SHA-256 of what else features depend on; empty for a baseline.
        alpha: Of a merged encoder; None for any other.
        method: Merge method of a merged encoder; None for any other.
        task: The task's name.
        preset: The protocol it was probed by, as a name.
        split: dev or test.
        metric: The metric's name.
        title: The metric as people call it.
        value: Mean over the seeds, in `unit`; of the mean over folds, where there are any.
        interval: Half the width of the mean's 95 % interval, in `unit`; None with one seed.
        values: One per seed, in the order of `seeds`.
        seeds: Of the probes: their first weights, their dropout, the order of their batches; none without probes.
        folds: Of a cross-validation, by name; none without. Each chose learning rate and updates of its own.
        unit: Of the value.
        better: Which direction is better.
        learning_rate: The one that was best on dev; the same for all seeds. None where nothing is trained, and
            with folds, as are `tried` and `steps`.
        layer: The one that was best on dev, where nothing is trained; None elsewhere.
        tried: (learning rate or layer, first metric on dev, mean over the seeds) of all that were tried, rising.
        is_edge: Whether the best learning rate, of any fold, is the smallest or the largest of several tried.
        steps: Updates the best probe of each seed was trained for.
        seed: The experiment's.
        utterances: Utterances scored, over all folds.
        manifest_hash: SHA-256 of the manifest folder.
        settings: What else the figure depends on.
    """

    label: str
    weights_hash: str
    configuration: str
    alpha: float | None
    method: str | None
    task: str
    preset: str
    split: str
    metric: str
    title: str
    value: float
    interval: float | None
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    folds: tuple[Fold, ...]
    unit: str
    better: Literal["higher", "lower"]
    learning_rate: float | None
    layer: int | None
    tried: tuple[tuple[float, float], ...]
    is_edge: bool
    steps: tuple[int, ...]
    seed: int
    utterances: int
    manifest_hash: str
    settings: Mapping[str, object]

    def as_metric(self) -> Metric:
        """Returns the metric this is a value of."""
        return Metric(self.metric, self.title, self.unit, self.better)

    def exact_alpha(self) -> Decimal | None:
        """Returns the alpha as it was asked for, without the rounding of a float."""
        return None if self.alpha is None else Decimal(repr(self.alpha))


def read_scores(path: Path) -> list[Score]:
    """Reads scores.jsonl; a line that is no score, say of another version, is left out, and no file is no scores."""
    names, fold_names = ({field.name for field in fields(each)} for each in (Score, Fold))
    scores = []
    for values in read_lines(path):
        if values.keys() == names and all(
            isinstance(fold, dict) and fold.keys() == fold_names for fold in values["folds"]
        ):
            folds = tuple(Fold(**_with_tuples(fold)) for fold in values["folds"])
            scores.append(Score(**{**_with_tuples(values), "folds": folds}))
    return scores


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a score or a fold with tuples where JSON has lists."""
    several = {name: tuple(values[name]) for name in ("values", "seeds", "steps") if name in values}
    return {**values, **several, "tried": tuple(map(tuple, values["tried"]))}
