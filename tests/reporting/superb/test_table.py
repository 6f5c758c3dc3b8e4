"""SUPERB scores of several encoders."""

from __future__ import annotations

from speechft_cli.reporting.superb.score import Constants, Reference
from speechft_cli.reporting.superb.table import superb_scores, superb_table
from tests.reporting.test_scores import score

MINE = Constants(
    "mine", {"asr": {"wer": Reference(100, 0)}, "pr": {"per": Reference(100, 0)}, "sid": {"acc": Reference(0, 100)}}
)
PER = {"task": "pr", "metric": "per", "better": "lower"}
SCORES = [
    score(value=80.0),
    score(value=20.0, **PER),
    score(value=1.0, split="dev"),
    score(label="tuned", value=70.0),
    score(label="tuned", value=10.0, **PER),
    score(label="broken", value=99.0),
    score(label="broken", value=float("nan"), **PER),
]


def test_a_row_per_encoder_with_the_constants_and_the_tasks_in_the_title() -> None:
    table = superb_table(superb_scores(SCORES, MINE, split="test"), MINE, base="base")
    assert table.title == "SUPERB score, mine, 2 of 3 tasks"
    assert table.columns == ("encoder", "score ↑", "Δ base", "pr", "sid")
    assert table.rows == (("base", "800.0", "", "800.0", "800.0"), ("tuned", "800.0", "+0.0", "900.0", "700.0"))
    assert table.best == {(0, 1), (1, 1)}


def test_an_encoder_with_fewer_tasks_than_the_others_has_no_score() -> None:
    assert list(superb_scores(SCORES, MINE, split="test")) == ["base", "tuned"]


def test_encoders_that_lack_different_tasks_have_no_scores() -> None:
    other = [score(label="also broken", value=float("nan")), score(label="also broken", value=1.0, **PER)]
    assert superb_scores([*SCORES[5:], *other], MINE, split="test") == {}


def test_without_constants_for_any_task_there_are_no_scores() -> None:
    assert superb_scores(SCORES, Constants("other", {"qbe": {"mtwv": Reference(0, 1)}}), split="test") == {}
