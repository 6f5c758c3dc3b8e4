"""A small part of a task's utterances, for a first look."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from speechft_cli.data.utterance import Utterance

#: Training utterances that a class of a closed set should have on average, so that it can be learnt at all.
_PER_CLASS = 5


class Most(NamedTuple):
    """Most utterances to keep of train, and of each other split."""

    train: int
    others: int


def subset(
    splits: Mapping[str, Sequence[Utterance]], most: Most, *, field: str, is_closed_set: bool
) -> dict[str, list[Utterance]]:
    """Returns at most so many utterances of each split, chosen by a hash of their ids.

    Of a closed set only so many classes are kept that each can have several training utterances; dev and test keep
    no class that train has lost.

    Args:
        splits: All there is.
        most: How many.
        field: The field that holds the target.
        is_closed_set: Whether every class of dev and test must occur in train.
    """
    if not is_closed_set:
        return {
            split: _few(members, most.train if split == "train" else most.others) for split, members in splits.items()
        }
    classes = sorted({each.target(field) or "" for each in splits["train"]}, key=_draw)
    kept = set(classes[: max(2, most.train // _PER_CLASS)])
    train = _few([each for each in splits["train"] if each.target(field) in kept], most.train)
    known = {each.target(field) for each in train}
    rest = {
        split: _few([each for each in members if each.target(field) in known], most.others)
        for split, members in splits.items()
        if split != "train"
    }
    return {"train": train, **rest}


def _few(utterances: Sequence[Utterance], most: int) -> list[Utterance]:
    return sorted(utterances, key=lambda each: _draw(each.id))[:most]


def _draw(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
