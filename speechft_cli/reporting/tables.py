"""Scores as tables: plain cells, for a console, Markdown or HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from speechft_cli.events import Table
from speechft_cli.reporting.scores import Score
from speechft_cli.tasks.base import Metric

_ARROWS = {"higher": "↑", "lower": "↓"}
#: A figure, an interval, a share, or several figures: digits first, and no letters, as a hash has them.
_NUMBER = re.compile(r"[-+−]?\d[-+−\d.,%±e ]*")
_GAP = 2  # between the columns of a console table
_MARK = 2  # beside the best of a column on a console


def score_table(
    scores: Sequence[Score], *, title: str, split: str, base: str | None, width: int | None = None
) -> Table:
    """Returns a row per encoder and a column per metric, the best of each column marked.

    Args:
        scores: In the order of the rows and columns.
        title: Of the table.
        split: dev or test.
        base: Label of the encoder that differences are against; None for no differences.
        width: Leave the differences out where the table would be wider [characters].
    """
    shown = {(score.label, score.task, score.metric): score for score in scores if score.split == split}
    labels = list(dict.fromkeys(label for label, _, _ in shown))
    columns = list(dict.fromkeys((task, metric) for _, task, metric in shown))
    best: set[tuple[int, int]] = set()
    heads: list[str] = ["encoder"]
    cells: list[list[str]] = [[label] for label in labels]
    for task, metric in columns:
        values = [shown[label, task, metric] for label in labels]
        reference = next((each.value for each in values if each.label == base), None)
        heads.append(_heading(values[0].as_metric()))
        best |= {(row, len(heads) - 1) for row in _best_rows(values)}
        for row, score in zip(cells, values, strict=True):
            row.append(f"{score.value:.2f}" if score.interval is None else f"{score.value:.2f} ± {score.interval:.2f}")
        if reference is not None and len(labels) > 1:
            heads.append(f"Δ {base}")
            for row, score in zip(cells, values, strict=True):
                row.append("" if score.label == base else f"{score.value - reference:+.2f}")
    table = Table(title, tuple(heads), tuple(map(tuple, cells)), frozenset(best))
    if width is not None and base is not None and _width(table) > width:
        return score_table(scores, title=title, split=split, base=None)
    return table


def fold_tables(scores: Sequence[Score], *, split: str) -> list[Table]:
    """Returns a table per cross-validated metric: a row per encoder, a column per fold and their mean.

    Args:
        scores: In the order of the rows.
        split: dev or test.
    """
    by_metric: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        if score.folds and score.split == split:
            by_metric.setdefault((score.task, score.metric), []).append(score)
    tables = []
    for (task, _), rows in by_metric.items():
        names = [fold.name for fold in rows[0].folds]
        cells = [(row.label, *(f"{fold.value:.2f}" for fold in row.folds), f"{row.value:.2f}") for row in rows]
        title = f"{task} by fold, {_heading(rows[0].as_metric())}"
        tables.append(Table(title, ("encoder", *(f"fold {name}" for name in names), "mean"), tuple(cells)))
    return tables


def markdown_table(table: Table) -> str:
    """Returns a table in Markdown, its best cells in bold."""
    rules = ["---:" if is_numeric(table, column) else "---" for column in range(len(table.columns))]
    lines = [list(table.columns), rules]
    for number, row in enumerate(table.rows):
        cells = [escaped(cell) for cell in row]
        lines.append([f"**{cell}**" if (number, column) in table.best else cell for column, cell in enumerate(cells)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def is_numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers, which stand right; the first one never does."""
    cells = [row[column] for row in table.rows if row[column]]
    return column > 0 and all(_NUMBER.fullmatch(cell) for cell in cells)


def escaped(text: str) -> str:
    """Keeps what others named, such as a label, from being Markdown."""
    for character in "\\`*_<[|":
        text = text.replace(character, f"\\{character}")
    return text


def _heading(metric: Metric) -> str:
    return f"{metric.title} {metric.unit} {_ARROWS[metric.better]}"


def _best_rows(values: Sequence[Score]) -> list[int]:
    """Returns the rows of the best value, all of them when several are equal; none when there is nothing to choose."""
    metric = values[0].as_metric()
    if len(values) < 2:
        return []
    numbers = [score.value for score in values if math.isfinite(score.value)]
    return [
        row
        for row, score in enumerate(values)
        if math.isfinite(score.value) and not any(metric.is_better(value, score.value) for value in numbers)
    ]


def _width(table: Table) -> int:
    marked = {column for _, column in table.best}
    return sum(
        max(len(table.columns[column]), *(len(row[column]) for row in table.rows)) + _GAP + _MARK * (column in marked)
        for column in range(len(table.columns))
    )
