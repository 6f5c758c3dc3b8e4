"""Which alpha to use, from dev scores only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from speechft_cli.reporting.document import listed
from speechft_cli.reporting.intervals import half_width
from speechft_cli.reporting.scores import Score
from speechft_cli.tasks.metrics import mean

#: The rules, for people: which one holds depends on which tasks were evaluated.
RETAIN = (
    "of the merged encoders that gain on the target, the one that retains most: the highest mean over the other tasks "
    "of the relative change from the base; of equals the one that gains more on the target, then the smaller alpha"
)
TARGET_ONLY = "the merged encoder that gains most on the target; of equals the smaller alpha"
NO_TARGET = (
    "no evaluated task is a target, so the merged encoder with the highest mean over all tasks of the relative change "
    "from the base; of equals the smaller alpha"
)


@dataclass(frozen=True)
class Option:
    """One encoder as it could be chosen, by its dev scores; changes are relative to the base, better is positive.

    Attributes:
        label: The encoder.
        alpha: Of a merged encoder; None for any other.
        gain: Mean relative change over the target tasks [1]; None without any.
        noise: Half the 95 % interval of `gain` over the probes' seeds, paired with the base's [1]; None where a task
            has one seed.
        retention: Mean relative change over the other tasks [1]; None without any.
        is_pareto: Whether no other encoder is at least as good in both and better in one.
    """

    label: str
    alpha: Decimal | None
    gain: float | None
    noise: float | None
    retention: float | None
    is_pareto: bool


@dataclass(frozen=True)
class Recommendation:
    """What to use.

    Attributes:
        label: The recommended encoder; None when no merged encoder qualifies.
        alpha: Its alpha.
        target: Tasks that are to gain.
        others: Tasks that are to be retained.
        rule: How it was chosen.
        reason: Why it is this one, in plain words.
        options: All encoders with dev scores, the base among them.
    """

    label: str | None
    alpha: Decimal | None
    target: tuple[str, ...]
    others: tuple[str, ...]
    rule: str
    reason: str
    options: tuple[Option, ...]


def recommend(scores: Sequence[Score], *, base: str, target: Iterable[str]) -> Recommendation | None:
    """Chooses among the merged encoders.

    Args:
        scores: First metrics of all encoders and tasks; only those on dev are looked at.
        base: Label of the base encoder.
        target: Tasks that are to gain, evaluated or not; all others are to be retained.

    Returns:
        The choice; None when nothing was merged or there is no base to compare with.
    """
    options, wanted, others = weigh(scores, split="dev", base=base, target=target)
    merged = [each for each in options if each.alpha is not None]
    if not (wanted or others) or not merged:
        return None
    rule = RETAIN if wanted and others else TARGET_ONLY if wanted else NO_TARGET
    able = [each for each in merged if not wanted or (each.gain or 0.0) > 0]
    best = min(able, key=_rank) if able else None
    return Recommendation(
        label=best.label if best else None,
        alpha=best.alpha if best else None,
        target=wanted,
        others=others,
        rule=rule,
        reason=_reason(best, able, merged, wanted, others),
        options=tuple(options),
    )


def weigh(
    scores: Sequence[Score], *, split: str, base: str, target: Iterable[str]
) -> tuple[list[Option], tuple[str, ...], tuple[str, ...]]:
    """Returns every encoder's changes from the base on one split, and the target and other tasks they are over.

    Tasks where the base scores 0 or nothing finite have no say: a change relative to them is no number. Encoders
    without a finite score in every task are left out.
    """
    found = {(score.label, score.task): score for score in scores if score.split == split}
    tasks = [task for (label, task), score in found.items() if label == base and score.value]
    tasks = [task for task in tasks if math.isfinite(found[base, task].value)]
    wanted = tuple(task for task in tasks if task in set(target))
    others = tuple(task for task in tasks if task not in wanted)
    labels = [
        label
        for label in dict.fromkeys(label for label, _ in found)
        if tasks and all((label, task) in found and math.isfinite(found[label, task].value) for task in tasks)
    ]
    return _with_pareto([_option(label, found, base, wanted, others) for label in labels]), wanted, others


def _rank(option: Option) -> tuple[float, float, Decimal]:
    """Sorts the best first."""
    retention, gain = option.retention or 0.0, option.gain or 0.0
    return -retention, -gain, option.alpha or Decimal(0)


def _option(
    label: str, found: Mapping[tuple[str, str], Score], base: str, wanted: Sequence[str], others: Sequence[str]
) -> Option:
    changes = {task: _changes(found[label, task], found[base, task]) for task in (*wanted, *others)}
    over_seeds = list(zip(*(changes[task] for task in wanted), strict=False)) if wanted else []
    return Option(
        label=label,
        alpha=found[label, next(iter(changes))].exact_alpha() if changes else None,
        gain=mean([mean(changes[task]) for task in wanted]) if wanted else None,
        noise=half_width([mean(each) for each in over_seeds]) if label != base else None,
        retention=mean([mean(changes[task]) for task in others]) if others else None,
        is_pareto=False,
    )


def _changes(score: Score, base: Score) -> list[float]:
    """Relative changes, seed by seed: the same seed gives both encoders the same first weights and batches."""
    sign = 1 if score.better == "higher" else -1
    is_paired = score.seeds == base.seeds and len(score.seeds) > 1
    pairs = zip(score.values, base.values, strict=True) if is_paired else [(score.value, base.value)]
    return [sign * (value - start) / abs(base.value) for value, start in pairs]


def _with_pareto(options: Sequence[Option]) -> list[Option]:
    def beats(one: Option, other: Option) -> bool:
        mine, its = _point(one), _point(other)
        return mine != its and all(a >= b for a, b in zip(mine, its, strict=True))

    return [replace(each, is_pareto=not any(beats(other, each) for other in options)) for each in options]


def _point(option: Option) -> tuple[float, float]:
    return option.gain or 0.0, option.retention or 0.0


def _reason(
    best: Option | None, able: Sequence[Option], merged: Sequence[Option], wanted: Sequence[str], others: Sequence[str]
) -> str:
    target = listed(wanted)
    if best is None:
        return (
            f"Of {len(merged)} merged, none gains on {target} on dev, so none is recommended: keep the base, try other "
            "alphas, or fine-tune longer."
        )
    parts = []
    if wanted:
        parts.append(f"It gains {best.gain:+.1%} on {target}, relative to the base.")
        if best.noise is not None and abs(best.gain or 0.0) <= best.noise:
            parts.append(f"That is within what other seeds of the probes would change (±{best.noise:.1%}): no proof.")
    if others:
        kept = f"{listed(others)}: a mean change of {best.retention:+.1%} from the base"
        parts.append(
            f"Of those merged that gain on {target}, {len(able)} of {len(merged)}, it keeps most of {kept}."
            if wanted
            else f"Of {len(merged)} merged it is best on {kept}."
        )
        if not wanted and (best.retention or 0.0) < 0:
            parts.append("The base is better than all of them.")
    return " ".join(parts)
