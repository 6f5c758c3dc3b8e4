"""Curves over alpha."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from speechft_cli.reporting.scores import Score

# Okabe and Ito's blue and vermilion: told apart with any kind of colour vision, and in grey
_COLOURS = {"test": "#0072B2", "dev": "#D55E00"}
_STYLES = {"test": ("-", "o"), "dev": ("--", "s")}


@dataclass(frozen=True)
class Panel:
    """One task's curve.

    Attributes:
        title: Of the panel.
        axis: What is on the y axis, with unit and direction.
        curves: Split → (alpha, value), by rising alpha.
    """

    title: str
    axis: str
    curves: dict[str, list[tuple[float, float]]]


def panels(scores: Sequence[Score], *, anchors: dict[str, float]) -> list[Panel]:
    """Returns a panel per task, for its first metric.

    Args:
        scores: First metrics of all encoders and tasks.
        anchors: Label → alpha of the encoders that were not merged: the base at 0, the tuned one at 1.

    Returns:
        The panels that have at least two points to draw; an encoder without alpha is no point.
    """
    found = []
    for task in dict.fromkeys(score.task for score in scores):
        mine = [score for score in scores if score.task == task]
        metric = mine[0].as_metric()
        curves: dict[str, list[tuple[float, float]]] = {}
        for score in mine:
            alpha = anchors.get(score.label) if score.alpha is None else float(score.alpha)
            if alpha is not None:
                curves.setdefault(score.split, []).append((alpha, score.value))
        axis = f"{metric.title} [{metric.unit}], {metric.better} is better"
        panel = Panel(task, axis, {split: sorted(points) for split, points in curves.items()})
        if any(len({alpha for alpha, _ in points}) > 1 for points in panel.curves.values()):
            found.append(panel)
    return found


def draw_alpha_curves(drawn: Sequence[Panel], *, anchors: dict[str, float]) -> bytes:
    """Returns a PNG with one panel per task: scores over alpha, the anchors marked by name.

    Args:
        drawn: At least one panel.
        anchors: Label → alpha of the encoders that were not merged.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.8 * rows), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel in zip(grid, drawn, strict=False):
        for split in ("test", "dev"):
            points = panel.curves.get(split, [])
            line, marker = _STYLES[split]
            axes.plot(
                [alpha for alpha, _ in points],
                [value for _, value in points],
                linestyle=line,
                marker=marker,
                markersize=5,
                color=_COLOURS[split],
                label=split,
            )
        for label, alpha in anchors.items():
            axes.axvline(alpha, color="#999999", linewidth=0.8, linestyle=":")
            axes.annotate(
                label, (alpha, 1.01), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9
            )
        axes.set_xlabel("α (interpolation weight of the tuned encoder)")
        axes.set_ylabel(panel.axis)
        axes.set_title(panel.title, loc="center", pad=18)
        axes.grid(visible=True, alpha=0.25)
        axes.legend(frameon=False)
    for axes in grid[len(drawn) :]:
        axes.set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
