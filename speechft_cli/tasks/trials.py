"""Trials of speaker verification: is it the same speaker in both utterances?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from speechft_cli.errors import RequestError

#: Utterances of which all pairs are tried when the manifest names no trials.
MOST_UTTERANCES = 2_000


class Trials(NamedTuple):
    """Pairs of utterances, by their places.

    Attributes:
        left: Place of the one (P,).
        right: Place of the other (P,).
        is_same: Whether they have one speaker (P,).
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    is_same: NDArray[np.bool_]


def listed_trials(trials: Sequence[str], places: Mapping[str, int]) -> tuple[Trials, int]:
    """Reads the trials that utterances name; those with an utterance that is not there are only counted.

    Args:
        trials: Of each utterance, in order: `1:ID` or `0:ID` for the other one, separated by blanks; 1 means the same
            speaker.
        places: Utterance id → its place.

    Raises:
        RequestError: An item is no trial.
    """
    left, right, same, absent = [], [], [], 0
    for place, line in enumerate(trials):
        for item in line.split():
            verdict, _, other = item.partition(":")
            if verdict not in ("0", "1") or not other:
                raise RequestError(
                    f"label trials: must be 1:ID or 0:ID with the id of an utterance of the same split, got {item!r}",
                    "without any trials all pairs of utterances are compared",
                )
            if other not in places:
                absent += 1
                continue
            left.append(place)
            right.append(places[other])
            same.append(verdict == "1")
    listed = Trials(np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), np.array(same, dtype=np.bool_))
    return listed, absent


def all_trials(speakers: Sequence[str]) -> Trials:
    """Returns every pair of utterances; of many utterances only `MOST_UTTERANCES`, evenly spread."""
    step = max(1, -(-len(speakers) // MOST_UTTERANCES))
    chosen = np.arange(0, len(speakers), step)
    left, right = np.triu_indices(len(chosen), k=1)
    names = np.array(speakers, dtype=np.str_)
    return Trials(chosen[left], chosen[right], names[chosen[left]] == names[chosen[right]])


def equal_error_rate(scores: NDArray[np.float64], is_same: NDArray[np.bool_]) -> float:
    """Returns the rate [%] at which as many impostors are accepted as true speakers are rejected.

    Between two thresholds the rates are taken as straight lines, as in SUPERB. Nothing of either kind gives nan, and so
    does a score that is no number, as of a probe that diverged.

    Args:
        scores: (P,), higher for more alike.
        is_same: (P,).
    """
    if is_same.all() or not is_same.any() or not np.isfinite(scores).all():
        return float("nan")
    accepted_impostors, accepted, _ = roc_curve(is_same, scores, drop_intermediate=False)
    gap = (1 - accepted) - accepted_impostors  # falls from 1 to -1 as the threshold falls
    after = int(np.argmax(gap <= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    rate = accepted_impostors[before] + share * (accepted_impostors[after] - accepted_impostors[before])
    return 100.0 * float(rate)
