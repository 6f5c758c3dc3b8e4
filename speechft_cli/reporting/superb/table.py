"""SUPERB scores of several encoders, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.events import Table
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.superb.score import Constants, SuperbScore, superb_score


def superb_scores(scores: Sequence[Score], constants: Constants, *, split: str) -> dict[str, SuperbScore]:
    """Returns label → SUPERB score of one split.

    An encoder that lacks a task another one has, or has no finite value there, is left out: the mean of fewer tasks
    can't be compared.
    """
    values: dict[str, dict[str, dict[str, float]]] = {}
    for score in scores:
        if score.split == split:
            values.setdefault(score.label, {}).setdefault(score.task, {})[score.metric] = score.value
    found = {label: superb_score(measured, constants) for label, measured in values.items()}
    tasks = {task for score in found.values() if score is not None for task in score.tasks}
    return {label: score for label, score in found.items() if score is not None and score.tasks.keys() == tasks}


def superb_table(superb: Mapping[str, SuperbScore], constants: Constants, *, base: str | None) -> Table:
    """Returns a row per encoder: its score, the difference from the base, and each task's part.

    The title names the constants and the tasks: a score says nothing without them.
    """
    tasks = list(next(iter(superb.values())).tasks)
    reference = superb[base].value if base is not None and base in superb and len(superb) > 1 else None
    rows = []
    for label, score in superb.items():
        difference = [] if reference is None else ["" if label == base else f"{score.value - reference:+.1f}"]
        parts = [f"{score.tasks[task]:.1f}" for task in tasks]
        rows.append((label, f"{score.value:.1f}", *difference, *parts))
    top = max(score.value for score in superb.values())
    best = {(row, 1) for row, score in enumerate(superb.values()) if score.value == top and len(superb) > 1}
    columns = ("encoder", "score ↑", *([] if reference is None else [f"Δ {base}"]), *tasks)
    title = f"SUPERB score, {constants.name}, {len(tasks)} of {len(constants.references)} tasks"
    return Table(title, columns, tuple(rows), frozenset(best))
