"""Gain on the target against retention of the rest."""

from __future__ import annotations

from collections.abc import Sequence

from speechft_cli.reporting.plots.names import name_points
from speechft_cli.reporting.plots.style import BLUE, PAPER, SOFT, VERMILION, Picture, drawing, picture
from speechft_cli.reporting.recommendation import Option
from speechft_cli.reporting.ways import way_of

#: With more encoders than this only those are named that a reader looks for.
_NAMED = 8


def draw_tradeoff(
    options: Sequence[Option], *, split: str, target: str, others: str, base: str, recommended: str | None
) -> Picture:
    """Draws every encoder with its change on the target (x) and on the others (y), and the Pareto front.

    Args:
        options: With gain and retention.
        split: They were measured on.
        target: The target tasks, in words.
        others: The other tasks, in words.
        base: Label of the base encoder, at the origin.
        recommended: Label of the recommended encoder, if there is one.
    """
    with drawing() as (figure, axes):
        points = {each.label: (100 * (each.gain or 0.0), 100 * (each.retention or 0.0)) for each in options}
        for line in (axes.axhline, axes.axvline):
            line(0, color=SOFT, linewidth=0.8, linestyle=":")
        front = sorted(points[each.label] for each in options if each.is_pareto)
        axes.plot(*zip(*front, strict=True), color=BLUE, linewidth=1.2, zorder=1, label="Pareto front")
        for each in options:
            is_best = each.label == recommended
            axes.plot(
                *points[each.label],
                marker="*" if is_best else "o",
                markersize=13 if is_best else 6,
                color=VERMILION if is_best else BLUE,
                markerfacecolor=None if is_best or each.is_pareto else PAPER,
                linestyle="none",
                label="recommended, by dev" if is_best else None,
                zorder=3 if is_best else 2,
            )
        axes.margins(0.16)
        axes.set_xlabel(f"target {target}: change from {base} [%]")
        axes.set_ylabel(f"{others}: change from {base} [%]")
        axes.set_title(split, loc="left", fontweight="bold")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        wanted = [
            each
            for each in options
            if len(options) <= _NAMED or each.label in (base, recommended) or each.alpha is None or each.is_pareto
        ]
        wanted.sort(key=lambda each: each.label not in (recommended, base))
        names = {_name(each): points[each.label] for each in wanted}
        name_points(axes, names, list(points.values()))
        what = f"Change on {target} against change on {others}, on {split}, one point per encoder"
        return picture(figure, f"tradeoff-{split}", what)


def _name(option: Option) -> str:
    """A merged encoder's alpha, with what sets it apart from others of the same alpha."""
    if option.alpha is None:
        return option.label
    way = way_of(option.label, float(option.alpha))
    return f"{way} {option.alpha.normalize():f}" if way else f"{option.alpha.normalize():f}"
