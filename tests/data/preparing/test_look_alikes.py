"""A first look finds every recording that looks like another one, and no other."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest

from speechft_cli.data.preparing.look_alikes import LookAlikes


@pytest.mark.parametrize(("count", "kinds"), [(1, 1), (30_000, 25_000), (20_000, 7), (20_000, 10**12)])
def test_finds_what_comes_more_than_once(count: int, kinds: int) -> None:
    drawn = np.random.default_rng(0).integers(kinds, size=count).tolist()
    looks = [(each * 7919 % 2**40, each * 104_729 % 2**32) for each in drawn]
    times = Counter(looks)
    found = LookAlikes(io.BytesIO(), at_once=3000)
    for number, look in enumerate(looks):
        found.add(number * 2 + 1, *look)  # bad utterances have the other places
    is_alike = found.places()
    assert not is_alike[::2].any()
    assert is_alike[1::2].tolist() == [times[look] > 1 for look in looks]


def test_nothing_looks_like_nothing() -> None:
    assert not LookAlikes(io.BytesIO()).places().any()
