from __future__ import annotations

import hashlib
from pathlib import Path

from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances


def spoken(name: str, **more: object) -> Utterance:
    return Utterance(name, Path("a.wav"), duration=float(len(name)), sample_rate=16_000, **more)  # type: ignore[arg-type]


#: Not in the order of their names, one with what the others lack, and a part that is empty.
PARTS = [
    [spoken("tree", text="TREE"), spoken("öl", text="", task_splits={"sid": "test"})],
    [],
    [spoken("a"), spoken("zebra", text="ZEBRA"), spoken("bee", text="BEE")],
]


def test_parts_are_one_sequence_and_any_rows_of_it() -> None:
    whole = [each for part in PARTS for each in part]
    joined = Utterances.joined([Utterances.of(part) for part in PARTS])

    assert list(joined) == whole
    assert list(joined.select([4, 0, 3])) == [whole[4], whole[0], whole[3]]
    assert list(joined.targets("text")) == ["TREE", "", None, "ZEBRA", "BEE"]
    assert list(joined.task_splits("sid")) == [None, "test", None, None, None]
    assert joined.durations.tolist() == [4, 2, 1, 5, 3]
    assert list(Utterances.joined([joined.select([1, 2]), joined[3:]])) == whole[1:]


def test_utterances_can_be_put_in_the_order_of_their_ids_or_of_a_hash_of_them() -> None:
    joined = Utterances.joined([Utterances.of(part) for part in PARTS])
    names = [each.id for part in PARTS for each in part]

    assert [each.id for each in joined.select(joined.order_by_id())] == sorted(names)
    drawn = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert [each.id for each in joined.select(joined.order_by_hash())] == drawn
