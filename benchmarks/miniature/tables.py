"""Tables of the miniature, from the scores that `run.py` left behind."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.scores import Score, read_scores

#: Way (task of fine-tuning, strategy, alpha) → probe → its score for each seed of fine-tuning, in their order.
Grid = Mapping[tuple[str, str, str], Mapping[str, Sequence[Score]]]


def write_tables(out: Path, corpora: Iterable[str]) -> None:
    """Writes `tables.md` into the folder and prints it."""
    scores = [score for corpus in corpora for score in first_metrics(out / "probes" / corpus)]
    base = {(score.split, score.task): score for score in scores if score.label == "base"}
    grids = {split: _grid(score for score in scores if score.split == split) for split in ("dev", "test")}
    lines = [*_scores(base, grids["test"]), *_gains(base, grids)]
    text = "\n".join(lines) + "\n"
    (out / "tables.md").write_text(text, encoding="utf-8")
    print(text)


def first_metrics(folder: Path) -> Iterable[Score]:
    """Yields the scores of an evaluation by each task's first metric, which is the one that learning rates go by."""
    metric: dict[str, str] = {}
    for score in read_scores(folder / "scores.jsonl"):
        if metric.setdefault(score.task, score.metric) == score.metric:
            yield score


def shown(values: Sequence[float]) -> str:
    """Returns mean ± half the width of its 95 % interval."""
    half = half_width(values)
    return f"{statistics.fmean(values):.2f}" + ("" if half is None else f" ± {half:.2f}")


def _grid(scores: Iterable[Score]) -> Grid:
    grid: dict[tuple[str, str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        if score.label != "base":
            task, strategy, _, alpha = score.label.split("-")
            grid[task, strategy, alpha][score.task].append(score)
    return grid


def _scores(base: Mapping[tuple[str, str], Score], grid: Grid) -> list[str]:
    probes = {probe: score for (split, probe), score in base.items() if split == "test"}
    heads = [f"{probe} {score.title} [{score.unit}]" for probe, score in probes.items()]
    lines = ["### Scores on test", "", "| tuned on | strategy | α | " + " | ".join(heads) + " |"]
    lines.append("|---" * (3 + len(heads)) + "|")
    lines.append("| base | – | – | " + " | ".join(f"{score.value:.2f}" for score in probes.values()) + " |")
    for way, scores in sorted(grid.items()):
        cells = [shown([score.value for score in scores[probe]]) for probe in probes]
        lines.append("| " + " | ".join([*way, *cells]) + " |")
    return [*lines, ""]


def _gains(base: Mapping[tuple[str, str], Score], grids: Mapping[str, Grid]) -> list[str]:
    """How much better than the base, as a mean over the probes that are of other tasks than the fine-tuning."""
    lines = ["### Gain over the base, mean of the probes of other tasks [points]", ""]
    lines += ["| tuned on | strategy | α | dev | test |", "|---|---|---|---|---|"]
    for way in sorted(grids["test"]):
        cells = []
        for split, grid in grids.items():
            by_probe = [
                [_gain(base[split, probe], score) for score in scores]
                for probe, scores in grid[way].items()
                if probe != way[0]
            ]
            # probes first, so that the interval is over fine-tunings
            cells.append(shown([statistics.fmean(each) for each in zip(*by_probe, strict=True)]))
        lines.append("| " + " | ".join([*way, *cells]) + " |")
    return [*lines, ""]


def _gain(base: Score, score: Score) -> float:
    return (1 if score.better == "higher" else -1) * (score.value - base.value)
