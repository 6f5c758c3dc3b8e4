from speechft_cli.events import Table
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.tables import markdown_table, score_table
from tests.reporting.test_scores import score


def scores() -> list[Score]:
    per = {"task": "pr", "metric": "per", "title": "PER", "better": "lower"}
    return [
        score(value=80.0),
        score(value=20.0, **per),
        score(label="tuned", value=70.0),
        score(label="tuned", value=12.5, **per),
        score(label="alpha-0.5", alpha="0.5", value=80.0),
        score(label="alpha-0.5", alpha="0.5", value=14.0, **per),
        score(split="dev", value=1.0),
    ]


def test_a_row_per_encoder_with_differences_and_the_best_by_each_metrics_direction() -> None:
    table = score_table(scores(), title="test", split="test", base="base")
    assert table.columns == ("encoder", "SID acc % ↑", "Δ base", "PER % ↓", "Δ base")
    assert table.rows == (
        ("base", "80.00", "", "20.00", ""),
        ("tuned", "70.00", "-10.00", "12.50", "-7.50"),
        ("alpha-0.5", "80.00", "+0.00", "14.00", "-6.00"),
    )
    assert table.best == {(0, 1), (2, 1), (1, 3)}


def test_differences_are_left_out_where_they_do_not_fit() -> None:
    # encoder 9 + 2, SID acc 11 + 2 + 2, Δ 6 + 2, PER 7 + 2 + 2, Δ 6 + 2
    assert len(score_table(scores(), title="", split="test", base="base", width=53).columns) == 5
    narrow = score_table(scores(), title="", split="test", base="base", width=52)
    assert narrow.columns == ("encoder", "SID acc % ↑", "PER % ↓")
    assert narrow.best == {(0, 1), (2, 1), (1, 2)}


def test_a_single_encoder_is_not_the_best_of_anything() -> None:
    table = score_table(scores(), title="", split="dev", base="base")
    assert table.rows == (("base", "1.00"),)
    assert table.best == frozenset()


def test_markdown_marks_the_best_and_escapes_bars() -> None:
    table = Table("t", ("encoder", "acc"), (("a|b", "1.00"), ("c", "2.00")), frozenset({(1, 1)}))
    assert markdown_table(table) == "| encoder | acc |\n| --- | ---: |\n| a\\|b | 1.00 |\n| c | **2.00** |"
