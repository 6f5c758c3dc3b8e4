from speechft_cli.events import Table
from speechft_cli.reporting.scores import Fold, Score
from speechft_cli.reporting.tables import fold_tables, is_numeric, markdown_table, score_table
from tests.reporting.test_scores import score


def scores() -> list[Score]:
    per = {"task": "pr", "metric": "per", "title": "PER", "better": "lower"}
    return [
        score(value=80.0),
        score(value=20.0, **per),
        score(label="tuned", value=70.0),
        score(label="tuned", value=12.5, **per),
        score(label="alpha-0.5", alpha=0.5, value=80.0),
        score(label="alpha-0.5", alpha=0.5, value=14.0, **per),
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


def test_the_better_of_two_encoders_is_the_best() -> None:
    assert score_table(scores()[:4], title="", split="test", base=None).best == {(0, 1), (1, 2)}


def test_a_single_encoder_is_not_the_best_of_anything() -> None:
    table = score_table(scores(), title="", split="dev", base="base")
    assert table.rows == (("base", "1.00"),)
    assert table.best == frozenset()


def test_markdown_marks_the_best_and_escapes_bars() -> None:
    table = Table("t", ("encoder", "acc"), (("a|b", "1.00"), ("c", "2.00")), frozenset({(1, 1)}))
    assert markdown_table(table) == "| encoder | acc |\n| --- | ---: |\n| a\\|b | 1.00 |\n| c | **2.00** |"


def test_a_column_of_figures_stands_right_and_one_of_hashes_or_names_does_not() -> None:
    columns = {
        "figures": (("48.75 ± 15.88", "25.16%", "+0.00", "-1.8e-05", "", "0.1, 0.01"), True),
        "hashes that begin with a digit": (("48f9fae5", "994e595d"), False),
        "names": (("16 kHz", "3"), False),
    }
    for name, (cells, expected) in columns.items():
        table = Table("", ("encoder", name), tuple(("base", cell) for cell in cells))
        assert is_numeric(table, 1) == expected, name
        assert not is_numeric(Table("", ("seconds",), (("1",),)), 0)


def test_folds_stand_beside_each_other_with_their_mean() -> None:
    def fold(name: str, *values: float) -> Fold:
        return Fold(name, values, 0.1, (), False, (), 8)

    folds = (fold("01", 60.0, 70.0), fold("02", 50.0, 40.0))
    others = {"task": "er", "title": "ER acc", "value": 55.0, "folds": folds}
    on_dev = {"value": 99.0, "folds": (fold("01", 99.0), fold("02", 99.0))}
    (table,) = fold_tables([score(), score(**others), score(split="dev", **others | on_dev)], split="test")
    assert table == Table(
        "er by fold, ER acc % ↑", ("encoder", "fold 01", "fold 02", "mean"), (("base", "65.00", "45.00", "55.00"),)
    )
