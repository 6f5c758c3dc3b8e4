"""Scores over alpha."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechft_cli.reporting.plots.style import BLUE, SOFT, VERMILION, Picture, drawing, picture
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.ways import file_name, way_of, ways

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"test": BLUE, "dev": VERMILION}
_STYLES = {"test": ("-", "o"), "dev": ("--", "s")}
#: With more points than this intervals are drawn as a band: bars would hide each other.
_BARS = 12
#: Beside the first and the last value that can be, as a share of the axis.
_ROOM = 0.03


@dataclass(frozen=True)
class Point:
    """One encoder's score.

    Attributes:
        alpha: Where it lies.
        value: The mean over the seeds.
        interval: Half its 95 % interval; None with one seed.
    """

    alpha: float
    value: float
    interval: float | None


@dataclass(frozen=True)
class Panel:
    """One task's curves along one way through weight space.

    Attributes:
        task: The task.
        way: Through weight space; empty when there is one only.
        axis: What is on the y axis, with unit and direction.
        most: The largest value that the metric can have; errors have none.
        curves: Split → points by rising alpha.
    """

    task: str
    way: str
    axis: str
    most: float
    curves: Mapping[str, Sequence[Point]]


def panels(scores: Sequence[Score], *, anchors: Mapping[str, float]) -> list[Panel]:
    """Returns a panel per task and way, for the task's first metric.

    Args:
        scores: First metrics of all encoders and tasks.
        anchors: Label → alpha of the encoders that were not merged: the base at 0, the tuned one at 1.

    Returns:
        The panels that have at least two points to draw; an encoder without alpha is no point.
    """
    found = []
    for task in dict.fromkeys(score.task for score in scores):
        mine = [score for score in scores if score.task == task]
        found += [_panel(task, mine, way, anchors) for way in ways((score.label, score.alpha) for score in mine)]
    return [each for each in found if any(len(points) > 1 for points in each.curves.values())]


def _panel(task: str, scores: Sequence[Score], way: str, anchors: Mapping[str, float]) -> Panel:
    metric = scores[0].as_metric()
    curves: dict[str, dict[float, Point]] = {}
    for score in scores:
        if score.alpha is not None and way_of(score.label, score.alpha) != way:
            continue
        alpha = anchors.get(score.label) if score.alpha is None else score.alpha
        if alpha is not None:
            # alpha 0 and the base are the same weights: the first one stands for both
            curves.setdefault(score.split, {}).setdefault(alpha, Point(alpha, score.value, score.interval))
    axis = f"{metric.title} [{metric.unit}], {metric.better} is better"
    most = 100.0 if (metric.unit, metric.better) == ("%", "higher") else math.inf
    rising = {split: tuple(points[alpha] for alpha in sorted(points)) for split, points in curves.items()}
    return Panel(task, way, axis, most, rising)


def draw_curves(panel: Panel, *, anchors: Mapping[str, float]) -> Picture:
    """Draws dev and test over alpha with their intervals, the anchors marked by name.

    Args:
        panel: What to draw.
        anchors: Label → alpha of the encoders that were not merged.
    """
    with drawing() as (figure, axes):
        for split in ("test", "dev"):
            _draw_split(axes, split, panel.curves.get(split, ()))
        _keep_to_what_can_be(axes, panel.most)
        for label, alpha in anchors.items():
            axes.axvline(alpha, color=SOFT, linewidth=0.8, linestyle=":")
            axes.annotate(
                label, (alpha, 1.01), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9
            )
        axes.set_xlabel("α (share of the tuned encoder)")
        axes.set_ylabel(panel.axis)
        title = f"{panel.task}, {panel.way}" if panel.way else panel.task
        axes.set_title(title, loc="left", fontweight="bold", pad=16)
        axes.legend(loc="best")
        what = f"{title}: {panel.axis}, over alpha"
        return picture(figure, file_name(f"alpha-{panel.task}", panel.way), f"{what}; the tables have the values")


def _keep_to_what_can_be(axes: Axes, most: float) -> None:
    """Cuts intervals of few seeds where no score can be: below 0, and above the metric's largest value."""
    low, high = axes.get_ylim()
    bottom, top = max(low, 0.0), min(high, most)
    room = _ROOM * (top - bottom)  # for what lies on the edge
    axes.set_ylim(max(low, bottom - room), min(high, top + room))


def _draw_split(axes: Axes, split: str, points: Sequence[Point]) -> None:
    line, marker = _STYLES[split]
    colour = _COLOURS[split]
    alphas, values = [point.alpha for point in points], [point.value for point in points]
    widths = [point.interval or 0.0 for point in points]
    has_bars = any(widths) and len(points) <= _BARS
    axes.errorbar(
        alphas,
        values,
        yerr=widths if has_bars else None,
        capsize=3,
        elinewidth=1,
        linestyle=line,
        marker=marker,
        markersize=4.5,
        linewidth=1.5,
        color=colour,
        label=split,
    )
    if any(widths) and not has_bars:
        low = [value - width for value, width in zip(values, widths, strict=True)]
        high = [value + width for value, width in zip(values, widths, strict=True)]
        axes.fill_between(alphas, low, high, color=colour, alpha=0.18, linewidth=0)
