"""Drift as a file, as a table and as a suggestion."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from speechft_cli.reporting.drift import Drift, drift_table, read_drift
from speechft_cli.reporting.json_lines import write_lines
from speechft_cli.reporting.suggestion import suggest


def line(**changed: object) -> Drift:
    """Half of a two-layer encoder's drift, with something else about it."""
    one = Drift(
        label="tuned",
        weights_hash="w",
        alpha=None,
        layer=0,
        distance=3.0,
        size=6.0,
        relative=0.5,
        cka=0.8,
        cosine=0.9,
        llfc=None,
        variance=None,
        utterances=4,
        seconds=5.0,
        source="s",
    )
    return replace(one, **changed)  # type: ignore[arg-type]


def merged(alpha: float, cka: float, **changed: object) -> Drift:
    return line(label=f"alpha-{alpha}", alpha=alpha, cka=cka, **{"llfc": 0.99, "variance": 0.98, **changed})


GRID = [line(cka=1.0, label="base"), line(cka=0.5), merged(0, 1.0), merged(0.25, 0.97), merged(0.5, 0.85)]


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_lines(tmp_path / "drift.jsonl", GRID)
    assert read_drift(tmp_path / "drift.jsonl") == GRID
    (tmp_path / "drift.jsonl").write_text('[]\n{"of": 1}\ncut')
    assert read_drift(tmp_path / "drift.jsonl") == []
    assert read_drift(tmp_path / "none.jsonl") == []


def test_the_table_has_whole_models() -> None:
    lines = [line(), line(layer=1, distance=4.0, size=8.0, relative=0.5, cka=0.6, cosine=0.7, llfc=0.9, variance=0.5)]
    # the base's weights: hypot(6, 8) = 10
    assert drift_table(lines).rows == (("tuned", "5", "50.00%", "0.3000", "0.8000", "0.9000", "0.500"),)


def test_a_hidden_state_without_weights_has_no_distance() -> None:
    lines = [line(), line(layer=1, distance=None, size=None, relative=None)]
    assert drift_table(lines).rows[0][1:3] == ("3", "50.00%")


def test_a_layer_that_stayed_is_part_of_the_whole_model() -> None:
    # 3 of hypot(6, 8) = 10
    assert drift_table([line(), line(layer=1, distance=0.0, size=8.0, relative=0.0)]).rows[0][1:3] == ("3", "30.00%")


def test_the_suggestion_is_the_knee_of_the_drift_curve() -> None:
    # shares of the tuned encoder's drift 0.5: 0.06 at 0.25 (0.19 ahead), 0.30 at 0.5 (0.20 ahead)
    found = suggest(GRID, tuned="tuned")
    assert found is not None
    assert (found.label, found.alpha, found.share) == ("alpha-0.5", Decimal("0.5"), pytest.approx(0.3))
    assert "the weights have gone 50% of the way to the tuned encoder, the features 30%" in found.reason
    assert "LLFC at least 0.990, variance at least 0.98 of the mixture's" in found.reason


def test_neither_the_ends_nor_what_lies_beyond_is_suggested() -> None:
    # at 0.5 the features have gone 70 %: further than the weights, other than at all the alphas that are left out
    ends = [merged(0, 1.0), merged(0.5, 0.65), merged(1, 0.5), merged(1.5, 0.9)]
    found = suggest([line(cka=0.5), *ends], tuned="tuned")
    assert found is not None
    assert found.label == "alpha-0.5"


def test_of_knees_equally_far_ahead_the_smaller_alpha_is_suggested() -> None:
    # shares 1/8 at 0.25 and 3/8 at 0.5
    found = suggest([line(cka=0.5), merged(0.25, 0.9375), merged(0.5, 0.8125)], tuned="tuned")
    assert found is not None
    assert found.label == "alpha-0.25"


def test_features_that_are_no_mixture_are_warned_of() -> None:
    found = suggest([*GRID[:-1], merged(0.5, 0.85, llfc=0.8)], tuned="tuned")
    assert found is not None
    assert "LLFC down to 0.800 in layer 0" in found.reason
    layers = [merged(0.5, 0.85), merged(0.5, 0.85, layer=1, llfc=0.95, variance=0.7)]
    found = suggest([line(cka=0.5), *layers], tuned="tuned")
    assert found is not None
    assert "LLFC down to 0.950 in layer 1, variance down to 0.70 in layer 1" in found.reason


def test_alpha_1_stands_for_the_tuned_encoder() -> None:
    found = suggest([merged(0.5, 0.9), merged(1, 0.5)], tuned="tuned")
    assert found is not None
    assert found.share == pytest.approx(0.2)


def test_without_an_end_or_a_merge_there_is_no_suggestion() -> None:
    assert suggest([merged(0.5, 0.9)], tuned="tuned") is None
    assert suggest([line()], tuned="tuned") is None
    assert suggest([merged(0.5, 1.0), line(cka=1.0)], tuned="tuned") is None
