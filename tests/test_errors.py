"""Messages: long lists are cut short, and a traceback has the hint."""

from __future__ import annotations

import traceback

from speechft_cli.errors import RequestError, amount, itemised, shortened


def test_names_beyond_the_most_are_counted() -> None:
    assert shortened(["a", "b"], most=2) == "a, b"
    assert shortened(["a", "b", "c", "d"], most=2) == "a, b and 2 more"


def test_one_thing_is_told_in_the_singular() -> None:
    assert [amount(count, "dev utterances") for count in (0, 1, 2)] == [
        "0 dev utterances",
        "1 dev utterance",
        "2 dev utterances",
    ]


def test_problems_have_a_line_each_and_those_beyond_the_most_are_counted() -> None:
    assert itemised([]) == ""
    assert itemised(["a", "b"], most=2) == "\n  a\n  b"
    assert itemised(["a", "b", "c"], most=2) == "\n  a\n  b\n  and 1 more"


def test_a_traceback_shows_the_hint_below_the_message() -> None:
    shown = traceback.format_exception_only(RequestError("a.pt: must be a checkpoint", "choose another"))
    assert "".join(shown).endswith("RequestError: a.pt: must be a checkpoint\nhint: choose another\n")
    assert len(traceback.format_exception_only(RequestError("a.pt: must be a checkpoint"))) == 1
