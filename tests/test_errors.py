"""Long lists in messages are cut short, and say so."""

from __future__ import annotations

from speechft_cli.errors import itemised, shortened


def test_names_beyond_the_most_are_counted() -> None:
    assert shortened(["a", "b"], most=2) == "a, b"
    assert shortened(["a", "b", "c", "d"], most=2) == "a, b and 2 more"


def test_problems_have_a_line_each_and_those_beyond_the_most_are_counted() -> None:
    assert itemised([]) == ""
    assert itemised(["a", "b"], most=2) == "\n  a\n  b"
    assert itemised(["a", "b", "c"], most=2) == "\n  a\n  b\n  and 1 more"
