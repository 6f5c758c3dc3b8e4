from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.data.splits.subset import Most, subset
from speechft_cli.data.splits.task_splits import rows_of, split_for_task, together
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError


def keep(splits: dict[str, list[Utterance]], most: Most, *, is_closed_set: bool) -> dict[str, list[Utterance]]:
    everything, own = together({split: Utterances.of(members) for split, members in splits.items()})
    rows = subset(everything, rows_of(own), most, field="speaker", is_closed_set=is_closed_set)
    return {split: list(everything.select(members)) for split, members in rows.items()}


def corpus(classes: int, each: int) -> dict[str, list[Utterance]]:
    return {
        split: [
            Utterance(f"{split}-{name}-{take}", Path("a.wav"), duration=1.0, speaker=f"s{name}")
            for name in range(classes)
            for take in range(count)
        ]
        for split, count in (("train", each), ("dev", 2), ("test", 2))
    }


def test_a_subset_has_at_most_so_many_and_is_always_the_same() -> None:
    splits = corpus(10, 8)
    few = keep(splits, Most(30, 7), is_closed_set=False)

    assert {split: len(members) for split, members in few.items()} == {"train": 30, "dev": 7, "test": 7}
    assert few == keep(splits, Most(30, 7), is_closed_set=False)
    shorter = {split: members[:-1] for split, members in splits.items()}
    gone = {members[-1].id for members in splits.values()}
    again = keep(shorter, Most(30, 7), is_closed_set=False)
    assert {each.id for each in few["train"]} - gone <= {each.id for each in again["train"]}


def test_an_open_set_keeps_what_train_has_never_met() -> None:
    splits = corpus(10, 1) | {"test": [replace(each, speaker="stranger") for each in corpus(10, 1)["test"]]}
    few = keep(splits, Most(5, 7), is_closed_set=False)
    assert [each.speaker for each in few["test"]] == ["stranger"] * 7
    assert len(few["dev"]) == 7


def test_the_classes_that_are_kept_are_the_same_in_every_process() -> None:
    # the first ten of 100 by the SHA-256 of their names
    names = sorted((f"s{name}" for name in range(100)), key=lambda name: hashlib.sha256(name.encode()).digest())
    few = keep(corpus(100, 8), Most(50, 20), is_closed_set=True)
    assert {each.speaker for each in few["train"]} == set(names[:10])


def test_classes_of_a_closed_set_are_dropped_before_they_are_too_thin() -> None:
    few = keep(corpus(100, 8), Most(50, 20), is_closed_set=True)

    train = {each.speaker for each in few["train"]}
    assert len(few["train"]) == 50
    assert len(train) == 10
    assert {each.speaker for each in [*few["dev"], *few["test"]]} <= train


def test_dev_and_test_lose_the_classes_that_train_happens_to_lose() -> None:
    splits = corpus(10, 1)
    splits["train"] += [replace(splits["train"][0], id=f"more-{take}") for take in range(200)]
    few = keep(splits, Most(50, 20), is_closed_set=True)

    train = {each.speaker for each in few["train"]}
    assert 1 < len(train) < 10  # of the rare ones some are not drawn
    assert {each.speaker for each in few["dev"]} == {each.speaker for each in few["test"]} == train


def test_the_few_classes_that_dev_and_test_have_are_among_those_that_are_kept() -> None:
    splits = corpus(100, 8)
    names = sorted(
        {each.speaker or "" for each in splits["train"]}, key=lambda name: hashlib.sha256(name.encode()).digest()
    )
    # the last by their hash: ten others come before them
    splits["dev"] = [each for each in splits["dev"] if each.speaker in names[-2:]]
    splits["test"] = [each for each in splits["test"] if each.speaker in names[-3:]]
    few = keep(splits, Most(50, 20), is_closed_set=True)

    assert {each.speaker for each in few["train"]} == {*names[-3:], *names[:7]}
    assert {split: len(few[split]) for split in ("dev", "test")} == {"dev": 4, "test": 6}


def test_a_split_that_the_subset_leaves_nothing_of_is_refused() -> None:
    splits = corpus(2, 1)
    splits["train"] += [replace(splits["train"][0], id=f"more-{take}") for take in range(200)]
    splits["dev"] = [each for each in splits["dev"] if each.speaker == "s1"]
    manifests = {split: Utterances.of(members) for split, members in splits.items()}
    with pytest.raises(RequestError, match="train, dev and test, has 2 in train, 0 in dev, 2 in test"):
        split_for_task(manifests, task="sid", field="speaker", is_closed_set=True, most=Most(2, 9))


def test_a_small_corpus_stays_whole() -> None:
    splits = corpus(3, 4)

    assert {split: len(each) for split, each in keep(splits, Most(500, 200), is_closed_set=True).items()} == {
        "train": 12,
        "dev": 6,
        "test": 6,
    }


def test_splits_of_a_task_may_be_subsets_and_say_how_many_are_gone() -> None:
    manifests = {split: Utterances.of(members) for split, members in corpus(4, 8).items()}
    splits = split_for_task(manifests, task="sid", field="speaker", is_closed_set=True, most=Most(train=10, others=3))

    assert {split: len(members) for split, members in splits.splits.items()} == {"train": 10, "dev": 3, "test": 3}
    assert splits.left_out == {"beyond the preset's subset": 32 - 10 + 8 - 3 + 8 - 3}
    assert list(splits.splits["train"]) == sorted(splits.splits["train"], key=lambda each: each.id)
