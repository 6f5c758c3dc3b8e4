"""Which alpha to try when there are no labels, from drift only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from speechft_cli.reporting.drift import Drift, by_encoder, mean_drift

#: The rule, for people.
RULE = (
    "the alpha between 0 and 1 where the share of the way to the tuned weights is furthest ahead of the share of the "
    "tuned encoder's feature drift (mean 1 − CKA over all hidden states): the knee of the drift curve"
)
#: LLFC or a variance below this says that merged features are no mixture of the two ends' [1].
_SOUND = 0.9


@dataclass(frozen=True)
class Suggestion:
    """An alpha to try.

    Attributes:
        label: Its encoder.
        alpha: The alpha.
        share: Its feature drift as a share of the tuned encoder's [1].
        reason: Why it is this one, in plain words.
    """

    label: str
    alpha: Decimal
    share: float
    reason: str


def suggest(lines: Sequence[Drift], *, tuned: str) -> Suggestion | None:
    """Chooses among the merged encoders; looks at no label and no score.

    Args:
        lines: Drift of all encoders.
        tuned: Label of the tuned encoder; without it alpha 1 stands for it.

    Returns:
        The knee; None when nothing was merged strictly between base and tuned, or the tuned features have not moved.

    Source: the knee as in Satopaa et al. 2011, "Finding a Kneedle in a Haystack".
    """
    encoders = by_encoder(lines)
    alphas = {label: Decimal(repr(each[0].alpha)) for label, each in encoders.items() if each[0].alpha is not None}
    end = encoders.get(tuned) or next((encoders[label] for label, alpha in alphas.items() if alpha == 1), None)
    between = {label: alpha for label, alpha in alphas.items() if 0 < alpha < 1}
    if end is None or not between or mean_drift(end) <= 0:
        return None
    shares = {label: mean_drift(encoders[label]) / mean_drift(end) for label in between}
    label = max(between, key=lambda each: (float(between[each]) - shares[each], -between[each]))
    alpha = between[label]
    reason = (
        f"At alpha {alpha.normalize():f} the weights have gone {float(alpha):.0%} of the way to the tuned encoder, the "
        f"features {shares[label]:.0%}. {_soundness(encoders[label])}"
    )
    return Suggestion(label, alpha, shares[label], reason)


def _soundness(lines: Sequence[Drift]) -> str:
    """Whether merging the weights was like mixing the features, in words."""
    measured = [line for line in lines if line.llfc is not None and line.variance is not None]
    if not measured:
        return "How well merging weights mixes features could not be measured without the tuned encoder."
    llfc = min(measured, key=lambda line: line.llfc or 0.0)
    variance = min(measured, key=lambda line: line.variance or 0.0)
    if (llfc.llfc or 0.0) < _SOUND or (variance.variance or 0.0) < _SOUND:
        return (
            f"Beware: its features are no plain mixture of base and tuned (LLFC down to {llfc.llfc:.3f} in layer "
            f"{llfc.layer}, variance down to {variance.variance:.2f} in layer {variance.layer}); probe it before use."
        )
    return (
        f"Its features are close to a plain mixture of base and tuned (LLFC at least {llfc.llfc:.3f}, variance at "
        f"least {variance.variance:.2f} of the mixture's)."
    )
