"""How well spoken terms are found: the maximum term-weighted value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: QUESST's costs of a miss and of a false alarm, and its prior probability that a document holds the term.
_MISS, _FALSE_ALARM, _PRIOR = 100.0, 1.0, 0.0008
#: What the rate of false alarms weighs against that of misses: 12.49.
BETA = _FALSE_ALARM / _MISS * (1 / _PRIOR - 1)


def maximum_term_weighted_value(scores: NDArray[np.float64], is_relevant: NDArray[np.bool_]) -> float:
    """Returns 1 - (rate of misses + 12.49 · rate of false alarms), at the threshold that is best for it [1].

    The rates are means over queries, so a rare term weighs as much as a frequent one; the threshold is one for all of
    them. Finding nothing at all is worth 0. A query that no document is relevant for has no rate of misses and is left
    out; nan when all are such.

    Args:
        scores: (Q, M) of each query against each document, higher for more alike, comparable between queries.
        is_relevant: (Q, M) whether the document holds the query's term.

    Source: NIST spoken term detection evaluation plan 2006, section 3; costs and trials, which are whole documents, as
    in the scoring of MediaEval's QUESST (Anguera et al. 2014).
    """
    heard = is_relevant.any(axis=1)
    scores, is_relevant = scores[heard], is_relevant[heard]
    if not len(scores):
        return float("nan")
    counts = is_relevant.sum(axis=1, keepdims=True)
    others = np.maximum(is_relevant.shape[1] - counts, 1)  # where there is no other document there is no false alarm
    gains = np.where(is_relevant, 1 / counts, -BETA / others) / len(scores)
    order = np.argsort(-scores, axis=None, kind="stable")
    falling = scores.ravel()[order]
    # the threshold lies between two scores: trials of equal score are accepted together
    is_last = np.append(falling[1:] < falling[:-1], True)
    # a sum of many shares of 1 can come out a hair above it
    return min(1.0, max(0.0, float(np.cumsum(gains.ravel()[order])[is_last].max())))
