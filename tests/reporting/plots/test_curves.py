"""Scores over alpha: what is drawn."""

from __future__ import annotations

import math

from speechft_cli.reporting.plots.curves import Panel, Point, draw_curves, panels
from tests.reporting.plots.test_style import texts
from tests.reporting.test_scores import score

ANCHORS = {"base": 0.0, "tuned": 1.0}


def test_a_panel_runs_from_base_over_the_grid_to_tuned() -> None:
    scores = [
        score(value=80.0),
        score(label="tuned", value=60.0),
        score(label="alpha-0", alpha=0, value=80.0),
        score(label="alpha-0.25", alpha=0.25, value=85.0, interval=1.5),
        score(label="tuned", value=50.0, split="dev"),
        score(label="somebody's", value=99.0),
    ]
    assert panels(scores, anchors=ANCHORS) == [
        Panel(
            "sid",
            "",
            "SID acc [%], higher is better",
            100.0,
            {
                "test": (Point(0, 80.0, None), Point(0.25, 85.0, 1.5), Point(1, 60.0, None)),
                "dev": (Point(1, 50.0, None),),
            },
        )
    ]


def test_one_point_is_no_curve() -> None:
    assert panels([score(), score(label="other")], anchors=ANCHORS) == []


def test_intervals_are_bars_of_few_points_and_a_band_of_many() -> None:
    def curve(count: int, interval: float | None) -> str:
        points = [Point(index / (count - 1), 80.0 + index, interval) for index in range(count)]
        return draw_curves(
            Panel("sid", "", "SID acc [%], higher is better", 100.0, {"test": points}), anchors=ANCHORS
        ).svg

    assert [("LineCollection" in curve(*case), "PolyCollection" in curve(*case)) for case in [(5, 1.0), (21, 1.0)]] == [
        (True, False),
        (False, True),
    ]
    assert "Collection" not in curve(5, None)


def test_the_axis_ends_where_no_score_can_be() -> None:
    def values(most: float) -> set[float]:
        points = [Point(0.25, 60.0, 90.0), Point(0.75, 100.0, 20.0)]
        words = texts(draw_curves(Panel("sid", "", "SID acc", most, {"test": points}), anchors={}).svg)
        numbers = [float(each.replace("−", "-")) for each in words if each.strip("−").replace(".", "").isdigit()]
        return {each for each in numbers if abs(each) > 1}  # the others are alphas

    assert values(100.0) == {20, 40, 60, 80, 100}
    assert values(math.inf) == {20, 40, 60, 80, 100, 120, 140}


def test_the_anchors_and_the_axis_are_named() -> None:
    panel = Panel(
        "sid", "", "SID acc [%], higher is better", 100.0, {"test": [Point(0, 1.0, None), Point(1, 2.0, None)]}
    )
    picture = draw_curves(panel, anchors=ANCHORS)
    assert picture.name == "alpha-sid"
    assert {"sid", "base", "tuned", "SID acc [%], higher is better", "test"} <= set(texts(picture.svg))


def test_each_way_through_weight_space_is_a_panel_of_its_own() -> None:
    scores = [
        score(value=80.0),
        score(label="linear/alpha-0.5", alpha=0.5, value=85.0),
        score(label="ties/alpha-0.5", alpha=0.5, value=70.0),
        score(label="tuned", value=60.0),
    ]
    found = panels(scores, anchors=ANCHORS)
    assert {each.way: [point.value for point in each.curves["test"]] for each in found} == {
        "linear": [80.0, 85.0, 60.0],
        "ties": [80.0, 70.0, 60.0],
    }
    assert [draw_curves(each, anchors=ANCHORS).name for each in found] == ["alpha-sid-linear", "alpha-sid-ties"]
