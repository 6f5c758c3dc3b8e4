"""A small part of a task's utterances, for a first look."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.utterances import Utterances

#: Training utterances that a class of a closed set should have on average, so that it can be learnt at all.
_PER_CLASS = 5


class Most(NamedTuple):
    """Most utterances to keep of train, and of each other split."""

    train: int
    others: int


def subset(
    utterances: Utterances, rows: Mapping[str, NDArray[np.int64]], most: Most, *, field: str, is_closed_set: bool
) -> dict[str, NDArray[np.int64]]:
    """Returns at most so many utterances of each split, chosen by a hash of their ids.

    Of a closed set only so many classes are kept that each can have several training utterances, those first that are
    in all splits; dev and test keep no class that train has lost.

    Args:
        utterances: All there are.
        rows: Split → which of them it has.
        most: How many.
        field: The field that holds the target.
        is_closed_set: Whether every class of dev and test must occur in train.
    """
    bounds = {split: most.train if split == "train" else most.others for split in rows}
    if not is_closed_set:
        return {split: _few(utterances, members, bounds[split]) for split, members in rows.items()}
    there = {split: _targets(utterances, members, field) for split, members in rows.items()}

    def rank(name: str) -> tuple[int, bytes]:
        # first those that all splits have: of a few speakers in dev and a thousand in train dev would lose all
        return -sum(name in each for each in there.values()), hashlib.sha256(name.encode()).digest()

    known = set(sorted(there["train"], key=rank)[: max(2, most.train // _PER_CLASS)])
    kept = {}
    for split in ("train", *(each for each in rows if each != "train")):
        is_known = [each in known for each in utterances.select(rows[split]).targets(field)]
        kept[split] = _few(utterances, rows[split][np.array(is_known, dtype=bool)], bounds[split])
        if split == "train":
            known = _targets(utterances, kept[split], field)
    return kept


def _targets(utterances: Utterances, rows: NDArray[np.int64], field: str) -> set[str]:
    return {each or "" for each in utterances.select(rows).targets(field)}


def _few(utterances: Utterances, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return rows[utterances.select(rows).order_by_hash()[:most]]
