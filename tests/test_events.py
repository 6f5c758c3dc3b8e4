"""What is told of work that is counted."""

from __future__ import annotations

from speechft_cli.events import Advanced, Event, Finished, Started, counted


def test_work_is_told_of_when_it_begins_after_each_thing_and_when_it_is_over() -> None:
    told: list[Event] = []
    things = counted("ab", told.append, "reading", 2, "letters")
    assert told == []
    assert next(things) == "a"
    assert told == [Started("reading", 2, "letters")]
    assert list(things) == ["b"]
    assert told[1:] == [Advanced(1), Advanced(2), Finished()]
