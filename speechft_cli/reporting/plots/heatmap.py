"""Drift by layer and alpha."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.reporting.drift import Drift, by_encoder
from speechft_cli.reporting.plots.style import Picture, drawing, picture
from speechft_cli.reporting.ways import file_name, way_of, ways

#: With more cells than this in a row their values are left out: they would not be readable.
_WRITTEN = 8
_TICKS = 9


@dataclass(frozen=True)
class _Kind:
    """One thing to show: its name in a file, its title, and how it is read off a line; None where there is none."""

    name: str
    title: str
    read: Callable[[Drift], float | None]


_KINDS = (
    _Kind("cka", "1 − CKA: features against the base's", lambda line: 1 - line.cka),
    _Kind("llfc", "1 − LLFC: against interpolated features", lambda line: None if line.llfc is None else 1 - line.llfc),
    _Kind("variance", "variance: share of the interpolated features'", lambda line: line.variance),
)


def draw_heatmaps(lines: Sequence[Drift], *, anchors: Mapping[str, float]) -> list[Picture]:
    """Draws drift as layer × alpha, one picture per way through weight space and kind; none with fewer than two alphas.

    Args:
        lines: Drift of all encoders.
        anchors: Label → alpha of the encoders that were not merged; they stand in where the grid has no such alpha.
    """
    encoders = by_encoder(lines)
    pictures = []
    for way in ways((line.label, line.alpha) for line in lines):
        columns: dict[float, list[Drift]] = {}
        for label, layers in sorted(encoders.items(), key=lambda item: item[1][0].alpha is None):
            own = layers[0].alpha
            alpha = anchors.get(label) if own is None else own
            if alpha is not None and (own is None or way_of(label, own) == way):
                columns.setdefault(alpha, layers)
        for kind in _KINDS:
            cells = {alpha: [kind.read(line) for line in columns[alpha]] for alpha in sorted(columns)}
            known = {alpha: [value for value in values if value is not None] for alpha, values in cells.items()}
            whole = {alpha: values for alpha, values in known.items() if len(values) == len(cells[alpha])}
            if len(whole) > 1:
                pictures.append(_draw(kind, way, whole))
    return pictures


def _draw(kind: _Kind, way: str, columns: Mapping[float, Sequence[float]]) -> Picture:
    rows = list(zip(*columns.values(), strict=True))  # layer × alpha
    with drawing(height=max(2.6, 0.24 * len(rows) + 1.2)) as (figure, axes):
        axes.grid(visible=False)
        # far from the base is dark in print and bright on a dark page alike: cividis runs through all of lightness
        mesh = axes.pcolormesh(rows, cmap="cividis", edgecolors="none")
        step = -(-len(columns) // _TICKS)
        ticks = range(0, len(columns), step)
        axes.set_xticks([tick + 0.5 for tick in ticks], [f"{list(columns)[tick]:g}" for tick in ticks])
        height = -(-len(rows) // 13)
        axes.set_yticks(
            [layer + 0.5 for layer in range(0, len(rows), height)],
            ["input" if layer == 0 else str(layer) for layer in range(0, len(rows), height)],
        )
        if len(columns) <= _WRITTEN:
            low, high = mesh.get_clim()
            for layer, row in enumerate(rows):
                for column, value in enumerate(row):
                    is_dark = value < (low + high) / 2
                    axes.text(
                        column + 0.5,
                        layer + 0.5,
                        f"{value:.2g}" if value >= 1e-3 else "0",
                        ha="center",
                        va="center",
                        fontsize=7.5,
                        color="white" if is_dark else "black",
                    )
        axes.set_xlabel("α (share of the tuned encoder)")
        axes.set_ylabel("layer")
        title = f"{way}: {kind.title}" if way else kind.title
        axes.set_title(title, loc="left", fontweight="bold")
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=25)
        bar.outline.set_visible(False)
        return picture(
            figure, file_name(f"drift-{kind.name}", way), f"{title}, layer by alpha; drift.jsonl has the values"
        )
