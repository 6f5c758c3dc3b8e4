"""Tables of results."""

from __future__ import annotations

from speechft_cli.cli.display.tables import draw
from speechft_cli.events import Table

SCORES = Table(
    "Scores",
    ("model", "sid ACC %", "pr PER %"),
    (("base", "81.86", "5.17"), ("alpha-0.25", "84.11", "3.94")),
    frozenset({(1, 1), (1, 2)}),
)


def test_the_best_cells_are_marked_without_colour() -> None:
    assert draw(SCORES, 80).plain == (
        "Scores\n"
        "model       sid ACC %  pr PER %\n"
        "───────────────────────────────\n"
        "base          81.86      5.17\n"
        "alpha-0.25    84.11 *    3.94 *"
    )


def test_the_best_cells_are_bold_on_a_terminal() -> None:
    text = draw(SCORES, 80)
    bold = {text.plain[span.start : span.end].strip() for span in text.spans if span.style == "bold"}
    assert {"84.11 *", "3.94 *"} <= bold
    assert "81.86" not in bold


def test_a_dozen_columns_fit_80_by_wrapping_headers_and_then_by_pieces() -> None:
    tasks = [f"task {number} accuracy" for number in range(12)]
    table = Table("", ("model", *tasks), (("alpha-0.25", *["81.86"] * 12),), frozenset({(0, 1)}))
    lines = draw(table, 80).plain.split("\n")
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:4] == ["task", "0", "task", "1"]
    assert lines[1].split()[:2] == ["model", "accuracy"]
    assert sum(line.count("81.86") for line in lines) == 12
    assert sum(line.startswith("alpha-0.25") for line in lines) == 2


def test_short_headers_stand_on_the_rule() -> None:
    table = Table("", ("m", "two words"), (("a", "1"),))
    assert draw(table, 8).plain == "     two\nm  words\n────────\na      1"


def test_a_table_without_rows_is_its_header() -> None:
    assert draw(Table("None", ("a", "b"), ()), 80).plain == "None\na  b\n────"


def test_words_stand_left_and_long_sentences_wrap_into_what_is_left() -> None:
    table = Table("", ("what", "n", "why"), (("a", "1", "short"), ("bb", "22", "one two three four")))
    assert draw(table, 20).plain == (
        "what   n  why\n────────────────────\na      1  short\nbb    22  one two\n          three four"
    )


def test_a_sentence_wraps_in_a_piece_of_its_own_too() -> None:
    speaker, text = "s" * 50, "all of these words are said one after the other and they take more than one line"
    lines = draw(Table("t", ("id", "speaker", "text"), (("u" * 40, speaker, text),)), 80).plain.splitlines()
    assert max(map(len, lines)) == 92  # of the speaker, whose name is not broken
    assert max(map(len, lines[-4:])) <= 80
    assert "u" * 40 + "  all of these words are said one after" in lines


def test_a_path_is_never_broken() -> None:
    path = "/a/very/long/path/that/is/wider/than/the/screen"
    assert path in draw(Table("", ("n", "path"), (("a", path),)), 20).plain
