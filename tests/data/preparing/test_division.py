"""Which speakers go to which split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from speechft_cli.data.columns import Row
from speechft_cli.data.preparing.division import division
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of
from speechft_cli.errors import RequestError

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def spoken(lengths: Mapping[str, float]) -> list[Row]:
    """An utterance of each speaker."""
    return [
        row_of(Utterance(f"by-{name}", Path("a.wav"), duration=seconds, speaker=name), "a.wav")
        for name, seconds in lengths.items()
    ]


def many() -> list[Row]:
    return spoken({f"s{number:03}": 1.0 for number in range(200)})


def divide(rows: list[Row], *, seed: int = 1) -> dict[str, list[Row]]:
    judge = division(SHARES, by="speaker", stratify=None, seed=seed)(lambda: iter([("train", row) for row in rows]))
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        split = judge("train", row)
        assert isinstance(split, str)
        found[split].append(row)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_speakers_are_divided_by_the_time_they_speak(seed: int) -> None:
    # a few speak most of the time: by their number dev and test would be several times too large, or too small
    rows = spoken({f"s{number:03}": 20.0 if number % 10 == 0 else 1.0 for number in range(300)})
    total = sum(row.duration for row in rows)
    found = divide(rows, seed=seed)
    for split, share in SHARES.items():
        # a split is never more than one speaker ahead of its share
        assert sum(row.duration for row in found[split]) == pytest.approx(share * total, abs=20.0)


def test_each_split_gets_a_speaker_where_there_are_as_many() -> None:
    found = divide(spoken({"ann": 9.0, "bob": 1.0, "eve": 1.0}))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 1, "dev": 1, "test": 1}
    with pytest.raises(RequestError, match="must find a speaker for each of train, dev, test, finds 2"):
        divide(spoken({"ann": 9.0, "bob": 1.0}))


def test_an_utterance_without_a_speaker_is_rejected() -> None:
    rows = spoken({"ann": 1.0, "bob": 1.0, "eve": 1.0})
    nobody = rows[0]._replace(id="nobody", speaker=None)
    judge = division(SHARES, by="speaker", stratify=None, seed=1)(lambda: iter([("dev", row) for row in rows]))
    assert judge("dev", nobody) == ("no speaker", "prepare.split_by: speaker")


def test_what_has_no_value_is_a_class_like_any_other() -> None:
    rows = [row._replace(labels='{"label": "yes"}') if place % 2 else row for place, row in enumerate(many())]
    judge = division(SHARES, by="utterance", stratify="label", seed=1)(lambda: iter([("train", row) for row in rows]))
    found = Counter((judge("train", row), row.labels is None) for row in rows)
    assert found == {
        (split, is_absent): round(100 * share) for split, share in SHARES.items() for is_absent in (True, False)
    }


def test_a_field_that_no_utterance_has_is_refused_with_those_there_are() -> None:
    rows = [many()[0], many()[1]._replace(labels='{"word": "yes"}')]
    with pytest.raises(RequestError) as caught:
        division(SHARES, by="utterance", stratify="emotion", seed=1)(lambda: iter([("train", row) for row in rows]))
    assert caught.value.message == "prepare.stratify: must be a field of the utterances, none has 'emotion'"
    assert caught.value.hint == "there are speaker, word"


def test_speakers_of_each_kind_are_divided_alike() -> None:
    # what a speaker says most counts: half of them are of "yes", half of "no"
    said = {"a": ("yes", "yes", "no"), "b": ("yes", "yes", "maybe"), "c": ("no", "no", "maybe")}
    kinds = ["a", "c", "b", "c"] * 50
    rows = [
        row._replace(id=f"{row.id}-{take}", labels=f'{{"label": "{label}"}}')
        for row, kind in zip(many(), kinds, strict=True)
        for take, label in enumerate(said[kind])
    ]
    judge = division(SHARES, by="speaker", stratify="label", seed=1)(lambda: iter([("train", row) for row in rows]))
    of_no = {f"s{number:03}" for number, kind in enumerate(kinds) if kind == "c"}
    found = Counter((judge("train", row), row.speaker in of_no) for row in rows)
    for split, share in SHARES.items():
        assert found[split, True] == pytest.approx(3 * 100 * share, abs=3)
        assert found[split, False] == pytest.approx(3 * 100 * share, abs=3)
