"""Dividing utterances anew: by utterance or by speaker, the same for the same seed, classes in the same proportions."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.columns import Row, parse_labels
from speechft_cli.data.preparing.collation import Check, Judge, ReadRows
from speechft_cli.data.utterance import Seconds
from speechft_cli.data.utterances import row_target
from speechft_cli.errors import RequestError

_LOOKED_AT = 1000  # utterances


def division(
    shares: Mapping[str, float], *, by: Literal["utterance", "speaker"], stratify: str | None, seed: int
) -> Check:
    """Returns a check that gives every utterance a new split.

    Args:
        shares: Split → its share; they sum to 1. Of the utterances, or with speakers of the time.
        by: What stays together: nothing, or all utterances of a speaker.
        stratify: Field whose values have the same shares in every split; None for none.
        seed: Of the draw.

    Raises:
        RequestError: When it sees fewer speakers than there are splits, or no utterance has the field.
    """

    def draw(name: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest(), "big")

    def stratum(row: Row) -> str:
        return "" if stratify is None else row_target(row, stratify) or ""

    def by_utterance(rows: ReadRows) -> Judge:
        draws: defaultdict[str, array[int]] = defaultdict(lambda: array("Q"))
        for _, row in rows():
            draws[stratum(row)].append(draw(row.id))
        _require_field(stratify, draws, rows)
        borders = {name: _borders(values, shares) for name, values in draws.items()}

        def judge(_: str, row: Row) -> str:
            place = int(np.searchsorted(borders[stratum(row)], np.uint64(draw(row.id)), side="right"))
            return list(shares)[place]

        return judge

    def by_speaker(rows: ReadRows) -> Judge:
        seconds: defaultdict[str, Seconds] = defaultdict(float)
        strata: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for _, row in rows():
            if row.speaker is not None:
                seconds[row.speaker] += row.duration
                strata[row.speaker][stratum(row)] += 1
        _require_field(stratify, set().union(*strata.values()), rows)
        order = sorted(seconds, key=lambda name: (min(strata[name], key=lambda s: (-strata[name][s], s)), draw(name)))
        splits = _deal({name: seconds[name] for name in order}, shares)

        def judge(_: str, row: Row) -> str | tuple[str, str]:
            return ("no speaker", "prepare.split_by: speaker") if row.speaker is None else splits[row.speaker]

        return judge

    return by_utterance if by == "utterance" else by_speaker


def _require_field(stratify: str | None, strata: Collection[str], rows: ReadRows) -> None:
    """Makes sure that the field to stratify by is there, in some utterances at least.

    Raises:
        RequestError: It is not; the hint names fields that are.
    """
    if stratify is None or not strata or any(strata):
        return
    first = [row for _, row in itertools.islice(rows(), _LOOKED_AT)]
    labels = {name for row in first if row.labels for name in parse_labels(row.labels)}
    others = [name for name in ("speaker", "language") if any(row_target(row, name) for row in first)]
    raise RequestError(
        f"prepare.stratify: must be a field of the utterances, none has {stratify!r}",
        f"there are {', '.join([*others, *sorted(labels)]) or 'no fields to stratify by'}",
    )


def _borders(draws: array[int], shares: Mapping[str, float]) -> NDArray[np.uint64]:
    """Returns the draws at which the second and each later split begins, so that each gets its share of them."""
    values = np.sort(np.frombuffer(draws, dtype=np.uint64))
    firsts = np.round(np.cumsum(list(shares.values()))[:-1] * len(values)).astype(int)
    borders: NDArray[np.uint64] = np.append(values, np.uint64(2**64 - 1))[firsts]
    return borders


def _deal(seconds: Mapping[str, Seconds], shares: Mapping[str, float]) -> dict[str, str]:
    """Gives each speaker in turn to the split that is most behind its share of the time; every split gets one.

    Raises:
        RequestError: There are fewer speakers than splits.
    """
    if len(seconds) < len(shares):
        raise RequestError(
            f"prepare.split_by: must find a speaker for each of {', '.join(shares)}, finds {len(seconds)}",
            "prepare.split_by: utterance",
        )
    dealt: dict[str, str] = {}
    had = dict.fromkeys(shares, 0.0)
    empty = sorted(shares, key=lambda split: shares[split])
    total = 0.0
    for speaker, amount in seconds.items():
        total += amount
        behind = max(shares, key=lambda split: shares[split] * total - had[split])
        split = empty.pop(0) if empty else behind
        dealt[speaker] = split
        had[split] += amount
    return dealt
