"""Tables of the miniature, from the scores that `run.py` left behind."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from speechft_cli.reporting.drift import Drift, by_encoder, mean_drift, read_drift
from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.scores import Score, read_scores

#: Task of fine-tuning, strategy, alpha.
Way = tuple[str, str, str]
#: Way → probe → its score for each seed of fine-tuning, in their order.
Grid = Mapping[Way, Mapping[str, Sequence[Score]]]
#: Way → mean gain over the base on the probes of other tasks [points], for each seed of fine-tuning.
Gains = Mapping[Way, Sequence[float]]


def write_tables(out: Path, corpora: Iterable[str]) -> None:
    """Writes `tables.md` into the folder and prints it."""
    folders = [folder for corpus in corpora for folder in sorted((out / "probes" / corpus).iterdir())]
    scores = [score for folder in folders for score in first_metrics(folder)]
    base = {(score.split, score.task): score for score in scores if score.label == "base"}
    grids = {split: _grid(score for score in scores if score.split == split) for split in ("dev", "test")}
    gains = {split: {way: _gain(base, way, of_way) for way, of_way in grid.items()} for split, grid in grids.items()}
    drift = by_encoder(line for folder in folders for line in read_drift(folder / "drift.jsonl"))
    lines = [*_scores(base, grids["test"]), *_gains(gains, drift), *_choices(gains)]
    text = "\n".join(lines) + "\n"
    (out / "tables.md").write_text(text, encoding="utf-8")
    print(text)


def first_metrics(folder: Path) -> Iterable[Score]:
    """Yields the scores of an evaluation by each task's first metric, which is the one that learning rates go by."""
    metric: dict[str, str] = {}
    for score in read_scores(folder / "scores.jsonl"):
        if metric.setdefault(score.task, score.metric) == score.metric:
            yield score


def shown(values: Sequence[float], digits: int = 2) -> str:
    """Returns mean ± half the width of its 95 % interval."""
    if not values:
        return "–"
    half = half_width(values)
    return f"{statistics.fmean(values):.{digits}f}" + ("" if half is None else f" ± {half:.{digits}f}")


def _grid(scores: Iterable[Score]) -> Grid:
    grid: dict[Way, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        if score.label != "base":
            grid[_way(score.label)][score.task].append(score)
    return grid


def _way(label: str) -> Way:
    task, strategy, _, alpha = label.split("-")
    return task, strategy, alpha


def _gain(base: Mapping[tuple[str, str], Score], way: Way, scores: Mapping[str, Sequence[Score]]) -> list[float]:
    by_probe = [
        [(1 if each.better == "higher" else -1) * (each.value - base[each.split, probe].value) for each in of_probe]
        for probe, of_probe in scores.items()
        if probe != way[0]
    ]
    # probes first, so that an interval is over fine-tunings
    return [statistics.fmean(each) for each in zip(*by_probe, strict=True)]


def _scores(base: Mapping[tuple[str, str], Score], grid: Grid) -> list[str]:
    probes = {probe: score for (split, probe), score in base.items() if split == "test"}
    heads = [f"{probe} {score.title} [{score.unit}]" for probe, score in probes.items()]
    cells = [f"{score.value:.2f}" for score in probes.values()]
    rows = [["base", "–", "–", *cells]]
    for way, scores in sorted(grid.items()):
        rows.append([*way, *(shown([score.value for score in scores[probe]]) for probe in probes)])
    return _table("Scores on test", ["tuned on", "strategy", "α", *heads], rows)


def _gains(gains: Mapping[str, Gains], drift: Mapping[str, Sequence[Drift]]) -> list[str]:
    moved: dict[Way, list[float]] = defaultdict(list)
    apart: dict[Way, list[float]] = defaultdict(list)
    for label, lines in drift.items():
        if label == "base":
            continue
        moved[_way(label)].append(100 * statistics.fmean(line.relative for line in lines if line.relative is not None))
        apart[_way(label)].append(mean_drift(lines))
    rows = [
        [*way, shown(gains["dev"][way]), shown(gains["test"][way]), shown(moved[way]), shown(apart[way], digits=4)]
        for way in sorted(gains["test"])
    ]
    heads = ["tuned on", "strategy", "α", "dev", "test", "weights moved [%]", "1 - CKA"]
    return _table("Gain over the base, mean of the probes of other tasks [points], and drift", heads, rows)


def _choices(gains: Mapping[str, Gains]) -> list[str]:
    """What choosing alpha by dev comes to on test, against both ends, seed by seed."""
    grids: dict[tuple[str, str], dict[str, Way]] = defaultdict(dict)
    for way in sorted(gains["dev"]):
        grids[way[:2]][way[2]] = way
    rows = []
    for (task, strategy), ways in sorted(grids.items()):
        between = {alpha: way for alpha, way in ways.items() if alpha != "1"}
        if not between:
            continue
        alpha = max(between, key=lambda each: statistics.fmean(gains["dev"][between[each]]))
        chosen, end = gains["test"][between[alpha]], gains["test"][ways["1"]]
        beyond = [here - there for here, there in zip(chosen, end, strict=True)]
        rows.append([task, strategy, alpha, shown(chosen), shown(end), shown(beyond)])
    heads = ["tuned on", "strategy", "α by dev", "over the base", "α = 1 over the base", "over α = 1"]
    return _table("The α that dev chooses, on test [points, other tasks]", heads, rows)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"### {title}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]
