import struct

from speechft_cli.reporting.plots import Panel, draw_alpha_curves, panels
from tests.reporting.test_scores import score

ANCHORS = {"base": 0.0, "tuned": 1.0}


def test_a_panel_runs_from_base_over_the_grid_to_tuned() -> None:
    scores = [
        score(value=80.0),
        score(label="tuned", value=60.0),
        score(label="alpha-0.25", alpha="0.25", value=85.0),
        score(label="tuned", value=50.0, split="dev"),
        score(label="somebody's", value=99.0),
    ]
    assert panels(scores, anchors=ANCHORS) == [
        Panel(
            "sid", "SID acc [%], higher is better", {"test": [(0, 80.0), (0.25, 85.0), (1, 60.0)], "dev": [(1, 50.0)]}
        )
    ]


def test_one_point_is_no_curve() -> None:
    assert panels([score(), score(label="other")], anchors=ANCHORS) == []


def test_the_drawing_is_a_png_with_two_panels_in_a_row() -> None:
    curves = {"test": [(0.0, 80.0), (1.0, 60.0)], "dev": [(0.0, 81.0), (1.0, 61.0)]}
    one, three = (draw_alpha_curves([Panel("sid", "SID acc [%]", curves)] * count, anchors=ANCHORS) for count in (1, 3))
    assert one.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", one[16:24])
    assert struct.unpack(">II", three[16:24]) == (2 * width, 2 * height)
