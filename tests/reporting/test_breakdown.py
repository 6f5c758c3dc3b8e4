"""Who gains and who loses, by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from speechft_cli.reporting.breakdown import Breakdown, Prediction, break_down, breakdown_table, read_predictions, shown
from speechft_cli.reporting.plots.groups import draw_groups
from speechft_cli.tasks import TASKS
from tests.reporting.plots.test_style import texts

SID = TASKS.get("sid")


def of(*rows: tuple[str, tuple[str, ...]]) -> list[Prediction]:
    return [Prediction(f"u{index}", target, predicted) for index, (target, predicted) in enumerate(rows)]


def by_class(**encoders: list[Prediction]) -> Breakdown | None:
    return break_down(
        encoders,
        {each.id: each.target for members in encoders.values() for each in members},
        task="sid",
        kind="class",
        metric=SID.metrics[0],
        score=SID.score,
    )


BASE = of(("ann", ("ann", "ann")), ("ann", ("ann", "bob")), ("bob", ("ann", "bob")), ("cy", ("cy", "cy")))
TUNED = of(("ann", ("bob", "ann")), ("ann", ("bob", "bob")), ("bob", ("bob", "bob")), ("cy", ("cy", "cy")))


def test_each_class_is_scored_alone_and_the_worst_change_comes_first() -> None:
    found = by_class(base=BASE, tuned=TUNED)
    assert found is not None
    # two utterances and two seeds of ann: 3 of 4 right with the base, 1 of 4 with the tuned encoder
    assert [(each.name, each.count, dict(each.values)) for each in found.groups] == [
        ("ann", 2, {"base": 75.0, "tuned": 25.0}),
        ("cy", 1, {"base": 100.0, "tuned": 100.0}),
        ("bob", 1, {"base": 50.0, "tuned": 100.0}),
    ]
    table = breakdown_table(found)
    assert table.title == "sid: SID acc by class"
    assert table.columns == ("class", "utterances", "base %", "tuned %", "Δ base")
    assert table.rows[0] == ("ann", "2", "75.00", "25.00", "-50.00")
    assert {"ann", "bob", "cy", "base", "tuned"} <= set(texts(draw_groups(found).svg))


def test_of_three_encoders_the_last_is_held_against_the_first() -> None:
    base = of(("ann", ("bob",)), ("bob", ("bob",)))
    found = by_class(base=base, tuned=base, best=of(("ann", ("ann",)), ("bob", ("bob",))))
    assert found is not None
    assert [each.name for each in found.groups] == ["bob", "ann"]  # nothing has changed for the second encoder
    assert [row[-1] for row in breakdown_table(found).rows] == ["+0.00", "+100.00"]


def test_a_group_that_one_encoder_has_no_predictions_for_is_left_out() -> None:
    base = of(*((name, (name,)) for name in ("ann", "bob", "cy")))
    found = by_class(base=base, tuned=base[:2])
    assert found is not None
    assert [each.name for each in found.groups] == ["ann", "bob"]


def test_of_many_groups_both_ends_are_shown() -> None:
    names = [f"speaker {index:02}" for index in range(50)]
    base = of(*((name, (name,)) for name in names))
    found = by_class(base=base, tuned=base)
    assert found is not None
    assert [each.name for each in shown(found.groups)] == [*names[:10], *names[-10:]]
    assert breakdown_table(found).title.endswith("30 in between left out")
    assert [len(shown(found.groups[:count])) for count in (19, 20, 21)] == [19, 20, 20]


def test_fewer_errors_are_better_where_the_metric_says_so() -> None:
    task = TASKS.get("pr")
    found = break_down(
        {"base": of(("A B", ("A B",)), ("A", ("B",))), "tuned": of(("A B", ("A",)), ("A", ("A",)))},
        {"u0": "ann", "u1": "bob"},
        task="pr",
        kind="speaker",
        metric=task.metrics[0],
        score=task.score,
    )
    assert found is not None
    assert [(each.name, each.values["tuned"]) for each in found.groups] == [("ann", 50.0), ("bob", 0.0)]


@pytest.mark.parametrize(
    "encoders", [{"base": BASE}, {"base": BASE, "tuned": []}, {"base": BASE[:2], "tuned": TUNED[:2]}]
)
def test_without_two_encoders_and_two_groups_there_is_nothing_to_compare(encoders: dict[str, list[Prediction]]) -> None:
    assert by_class(**encoders) is None


def test_predictions_are_read_from_their_file_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "sid.jsonl"
    path.write_text(json.dumps({"id": "u0", "target": "ann", "predictions": ["ann", "ann"]}) + "\n")
    assert read_predictions(path) == BASE[:1]
    # both end a line to Python, and neither does in JSON
    odd = Prediction("u\u2028", "ann", ("ann\x85",))
    path.write_text(json.dumps(asdict(odd), ensure_ascii=False) + "\n")
    assert read_predictions(path) == [odd]
    path.write_text(path.read_text() + "cut")
    assert read_predictions(path) == []
    assert read_predictions(tmp_path / "none.jsonl") == []
