"""The tables of docs/miniature.md, from the scores and drifts that `run.py` left behind."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from scipy.stats import t as student

#: Task → its first metric, and whether more of it is better.
METRICS = {"pr": ("per", False), "sid": ("acc", True), "er": ("acc", True), "ks": ("acc", True)}

#: Task of fine-tuning → way (strategy, alpha) → probe → one test score per fine-tuning seed.
Grid = Mapping[str, Mapping[tuple[str, str], Mapping[str, Sequence[float]]]]


def write_tables(out: Path, *, base: str, corpora: Sequence[str]) -> None:
    """Writes `tables.md` into the folder and prints it."""
    lines: list[str] = []
    at_base, grids = {}, {}
    for split in ("dev", "test"):
        at_base[split], grids[split] = _read(out, base=base, corpora=corpora, split=split)
    for task, ways in grids["test"].items():
        lines += _table(f"Fine-tuned on {task}", at_base["test"], ways)
    lines += _answers(at_base, grids)
    text = "\n".join(lines) + "\n"
    (out / "tables.md").write_text(text, encoding="utf-8")
    print(text)


def _read(out: Path, *, base: str, corpora: Sequence[str], split: str) -> tuple[dict[str, float], Grid]:
    at_base: dict[str, float] = {}
    grid: dict[str, dict[tuple[str, str], dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for corpus in corpora:
        for line in (out / "probes" / corpus / "scores.jsonl").read_text(encoding="utf-8").splitlines():
            score = json.loads(line)
            task = score["task"]
            if score["split"] != split or score["metric"] != METRICS[task][0]:
                continue
            if score["label"] == base:
                at_base[task] = score["value"]
                continue
            tuned_on, strategy, _, alpha = score["label"].split("-")
            grid[tuned_on][strategy, alpha][task].append(score["value"])
    return at_base, grid


def _table(
    title: str, base: Mapping[str, float], ways: Mapping[tuple[str, str], Mapping[str, Sequence[float]]]
) -> list[str]:
    header = " | ".join(f"{task} {METRICS[task][0]} [%]" for task in METRICS)
    lines = [f"### {title}", "", f"| encoder | {header} |", "|---|" + "---|" * len(METRICS)]
    lines.append("| base | " + " | ".join(f"{base[task]:.2f}" for task in METRICS) + " |")
    for (strategy, alpha), scores in sorted(ways.items()):
        cells = " | ".join(interval(scores[task]) for task in METRICS)
        lines.append(f"| {strategy}, α = {alpha} | {cells} |")
    return [*lines, ""]


def interval(values: Sequence[float]) -> str:
    """Returns mean ± half the width of its 95 % t interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.2f}"
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.2f} ± {half:.2f}"


def _answers(at_base: Mapping[str, Mapping[str, float]], grids: Mapping[str, Grid]) -> list[str]:
    """For each way of fine-tuning: mean gain over the base on the probes it was not tuned on, by alpha."""
    lines = ["### Gain over the base on the probes not tuned on, mean [points]", ""]
    lines += ["| tuned on | strategy | α | dev | test |", "|---|---|---|---|---|"]
    for task, ways in grids["test"].items():
        for strategy, alpha in sorted(ways):
            gains = {
                split: [
                    _gain(probe, at_base[split][probe], values)
                    for probe, values in grids[split][task][strategy, alpha].items()
                    if probe != task
                ]
                for split in ("dev", "test")
            }
            # the seeds' means over probes, so that the interval is over fine-tunings
            shown = {split: interval(_means(each)) for split, each in gains.items()}
            lines.append(f"| {task} | {strategy} | {alpha} | {shown['dev']} | {shown['test']} |")
    return [*lines, ""]


def _gain(probe: str, base: float, values: Sequence[float]) -> list[float]:
    sign = 1 if METRICS[probe][1] else -1
    return [sign * (value - base) for value in values]


def _means(gains: Iterable[Sequence[float]]) -> list[float]:
    return [statistics.fmean(each) for each in zip(*gains, strict=True)]
