"""How far features have moved, layer by layer, on speech without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.probing.drift.similarity import Similarity

#: Utterance → hidden states (L + 1, T, D) of a frozen encoder.
Encode = Callable[[Utterance], Tensor]


@dataclass(frozen=True)
class FeatureDrift:
    """How far one hidden state of an encoder is from the base's.

    Attributes:
        cka: Linear CKA with the base's [1].
        cosine: Mean cosine of a frame's features with the base's [1].
        llfc: Mean cosine of a merged encoder's features with the interpolation of the base's and the tuned one's [1];
            None for any other encoder.
        variance: A merged encoder's total feature variance as a share of that of the interpolated features [1]; None
            for any other encoder.
    """

    cka: float
    cosine: float
    llfc: float | None = None
    variance: float | None = None


@dataclass(frozen=True)
class Interpolation:
    """What a merged encoder's features are held against.

    Attributes:
        tuned: Encodes with the tuned encoder.
        alpha: The tuned encoder's share.
    """

    tuned: Encode
    alpha: float


def feature_drift(
    base: Encode,
    other: Encode,
    utterances: Sequence[Utterance],
    *,
    between: Interpolation | None = None,
    advance: Callable[[int], None],
) -> list[FeatureDrift]:
    """Returns the drift of every hidden state, from one pass over the utterances.

    With `between` it is also held against f = (1 − α) f_base + α f_tuned: layer-wise linear feature connectivity says
    that merging weights is like merging features; where it breaks, or the variance collapses, a merge made something
    that neither of its ends was.

    Args:
        base: Encodes with the base.
        other: Encodes with the encoder that may have moved.
        utterances: At least one; their labels are not looked at.
        between: Of a merged encoder, what it was merged from.
        advance: Told the utterances done.

    Source: Zhou et al. 2023, "Going Beyond Linear Mode Connectivity: The Layerwise Linear Feature Connectivity",
        arXiv 2307.08286; variance collapse: Jordan et al. 2023, "REPAIR", arXiv 2211.08403.
    """
    from_base, from_interpolated = Similarity(), Similarity()
    for done, utterance in enumerate(utterances, start=1):
        start, features = base(utterance), other(utterance)
        from_base.add(start, features)
        if between is not None:
            interpolated = start.lerp(between.tuned(utterance), between.alpha)
            from_interpolated.add(interpolated, features)
        advance(done)
    if between is None:
        return [FeatureDrift(*pair) for pair in zip(from_base.cka(), from_base.cosine(), strict=True)]
    columns = (
        from_base.cka(),
        from_base.cosine(),
        from_interpolated.cosine(),
        from_interpolated.variance_ratio(),
    )
    return [FeatureDrift(*values) for values in zip(*columns, strict=True)]


def sample(utterances: Utterances, duration: Seconds) -> list[Utterance]:
    """Returns some utterances, at least one and else at most `duration` seconds in all.

    Which ones depends on their ids only: the same from run to run, and not the first speakers of a corpus.
    """
    drawn = utterances.select(utterances.order_by_hash())
    count = int(np.searchsorted(drawn.durations.cumsum(), duration, side="right"))
    return list(drawn[: max(1, count)])
