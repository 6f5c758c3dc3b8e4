"""Gain against retention, and names beside points."""

from __future__ import annotations

from decimal import Decimal

from speechft_cli.reporting.plots.names import name_points
from speechft_cli.reporting.plots.style import drawing
from speechft_cli.reporting.plots.tradeoff import draw_tradeoff
from speechft_cli.reporting.recommendation import Option
from tests.reporting.plots.test_style import texts


def options(count: int) -> list[Option]:
    grid = [
        Option(f"alpha-{index / count:g}", Decimal(index) / count, index / count, None, -index / count, index % 2 == 0)
        for index in range(1, count)
    ]
    return [Option("base", None, 0.0, None, 0.0, True), *grid]


def test_points_front_and_recommendation_are_named() -> None:
    picture = draw_tradeoff(options(4), split="dev", target="asr", others="sid", base="base", recommended="alpha-0.25")
    assert {"base", "0.25", "0.5", "0.75", "Pareto front", "recommended, by dev", "dev"} <= set(texts(picture.svg))
    assert "target asr: change from base [%]" in texts(picture.svg)


def test_of_many_only_those_that_are_looked_for_are_named() -> None:
    written = texts(
        draw_tradeoff(options(20), split="dev", target="asr", others="sid", base="base", recommended="alpha-0.25").svg
    )
    assert {"base", "0.25", "0.5"} <= set(written)
    assert "0.45" not in written


def test_names_hide_neither_points_nor_each_other() -> None:
    points = {f"0.{index:02}": (index / 400, (index % 3) / 100) for index in range(20)}
    with drawing() as (figure, axes):
        axes.plot(*zip(*points.values(), (1, 1), strict=True), "o")
        name_points(axes, points, list(points.values()))
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
        places = axes.transData.transform(list(points.values()))
    assert 3 < len(boxes) < 20  # the rest had no room
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)
    assert not any(box.contains(*place) for box in boxes for place in places)
