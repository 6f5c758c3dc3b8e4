"""Names beside points, where they hide nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]
#: left, bottom, right, top [points]
Box = tuple[float, float, float, float]

_SIZE = 8.5
_WIDTH, _HEIGHT = 0.62 * _SIZE, 1.2 * _SIZE  # of a character [points]
_GAP = 7.0
_MARKER = 4.0


def name_points(axes: Axes, named: Mapping[str, Point], points: Sequence[Point]) -> None:
    """Writes each name beside its point, where it hides no point and no other name; leaves out what has no room.

    Args:
        axes: Everything else must be drawn.
        named: Name → its point, those that matter most first.
        points: All points.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # only now it is known where the data lie
    scale = 72 / figure.dpi

    def place(point: Point) -> Point:
        x, y = axes.transData.transform(point)
        return float(x) * scale, float(y) * scale

    places = [place(point) for point in points]
    taken: list[Box] = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in places]
    frame = axes.get_window_extent()
    for name, point in named.items():
        for offset, horizontal, box in _candidates(place(point), len(name) * _WIDTH):
            is_inside = box[0] >= frame.x0 * scale and box[2] <= frame.x1 * scale
            if is_inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                axes.annotate(
                    name, point, xytext=offset, textcoords="offset points", ha=horizontal, va="center", fontsize=_SIZE
                )
                break


def _candidates(place: Point, width: float) -> Iterator[tuple[Point, str, Box]]:
    """Where a name may stand: beside its point, then above, below and at the corners, then further away."""
    x, y = place
    for gap in (_GAP, 2 * _GAP, 3.5 * _GAP):
        for side, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            left = x + side * gap + {1: 0.0, 0: -width / 2, -1: -width}[side]
            centre = y + up * (gap + _HEIGHT / 2)
            horizontal = {1: "left", 0: "center", -1: "right"}[side]
            box = (left, centre - _HEIGHT / 2, left + width, centre + _HEIGHT / 2)
            yield (side * gap, up * (gap + _HEIGHT / 2)), horizontal, box


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
