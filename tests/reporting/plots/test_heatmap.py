"""Drift by layer and alpha."""

from __future__ import annotations

from dataclasses import replace

from speechft_cli.reporting.plots.heatmap import draw_heatmaps
from tests.reporting.plots.test_style import texts
from tests.reporting.test_drift import line, merged

ANCHORS = {"base": 0.0, "tuned": 1.0}


def test_a_picture_per_kind_with_the_ends_where_the_grid_has_none() -> None:
    lines = [
        *(line(label="base", cka=1.0, layer=layer) for layer in (0, 1)),
        *(line(cka=0.25, layer=layer) for layer in (0, 1)),
        *(merged(0.5, 0.875, layer=layer) for layer in (0, 1)),
        *(merged(0.75, 0.625, layer=layer) for layer in (0, 1)),
    ]
    pictures = {each.name: texts(each.svg) for each in draw_heatmaps(lines, anchors=ANCHORS)}
    assert list(pictures) == ["drift-cka", "drift-llfc", "drift-variance"]
    assert {"0.12", "0.38", "0.75"} <= set(pictures["drift-cka"])
    assert {"0", "0.5", "0.75", "1", "input"} <= set(pictures["drift-cka"])
    # base and tuned have no interpolation to be held against: two alphas, layer 1
    assert [each for each in pictures["drift-llfc"] if each in {"0", "0.5", "0.75", "1"}] == ["0.5", "0.75", "1"]


def test_values_are_left_out_where_they_would_not_be_readable() -> None:
    lines = [merged(index / 20, 1 - index / 40) for index in range(21)]
    written = texts(draw_heatmaps(lines, anchors=ANCHORS)[0].svg)
    assert "0.47" not in written
    assert {"0", "0.3", "0.9"} <= set(written)


def test_one_alpha_is_no_map() -> None:
    assert draw_heatmaps([merged(0.5, 0.9)], anchors=ANCHORS) == []


def test_each_way_through_weight_space_has_maps_of_its_own() -> None:
    lines = [
        replace(merged(alpha, cka), label=f"{way}/alpha-{alpha}")
        for way, cka in (("linear", 0.875), ("ties", 0.75))
        for alpha in (0.5, 0.75)
    ]
    found = {each.name: texts(each.svg) for each in draw_heatmaps(lines, anchors=ANCHORS)}
    assert "0.12" in found["drift-cka-linear"]
    assert "0.25" in found["drift-cka-ties"]
