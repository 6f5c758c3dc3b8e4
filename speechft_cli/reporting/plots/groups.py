"""Change by class or speaker: a line from the base's value to the recommended encoder's."""

from __future__ import annotations

from speechft_cli.reporting.breakdown import Breakdown, shown
from speechft_cli.reporting.plots.style import BLUE, LINE, PAPER, VERMILION, Picture, drawing, picture

_LONGEST = 18


def draw_groups(found: Breakdown) -> Picture:
    """Draws one row per group, the worst change on top."""
    first, last = found.encoders[0], found.encoders[-1]
    rows = shown(found.groups)
    with drawing(height=max(2.4, 0.24 * len(rows) + 1.3)) as (figure, axes):
        places = range(len(rows), 0, -1)
        starts, ends = ([each.values[label] for each in rows] for label in (first, last))
        axes.grid(visible=False, axis="y")
        axes.hlines(places, starts, ends, color=LINE, linewidth=3, zorder=1)
        axes.plot(starts, places, "o", color=BLUE, markerfacecolor=PAPER, markersize=6, label=first, zorder=2)
        axes.plot(ends, places, "o", color=VERMILION, markersize=6, label=last, zorder=3)
        names = [each.name if len(each.name) <= _LONGEST else f"{each.name[: _LONGEST - 1]}…" for each in rows]
        axes.set_yticks(list(places), names)
        axes.set_ylim(0.3, len(rows) + 0.7)
        axes.set_xlabel(f"{found.metric.title} [{found.metric.unit}], {found.metric.better} is better")
        axes.set_title(f"{found.task} by {found.kind}, on test", loc="left", fontweight="bold")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.55 / (0.24 * len(rows) + 0.6)), ncols=2)
        what = f"{found.task}: {found.metric.title} of each {found.kind} with {first} and with {last}"
        return picture(figure, f"groups-{found.task}", f"{what}, worst change on top")
