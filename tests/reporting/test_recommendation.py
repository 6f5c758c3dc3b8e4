"""Choosing alpha from dev scores, by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from speechft_cli.reporting.recommendation import NO_TARGET, RETAIN, TARGET_ONLY, recommend
from speechft_cli.reporting.scores import Score
from tests.reporting.test_scores import score

WER = {"task": "asr", "metric": "wer", "better": "lower"}
PER = {"task": "pr", "metric": "per", "better": "lower"}


def three(label: str, alpha: float | None, acc: float, per: float, wer: float, *, split: str = "dev") -> list[Score]:
    return [
        score(label=label, alpha=alpha, split=split, value=acc),
        score(label=label, alpha=alpha, split=split, value=per, **PER),
        score(label=label, alpha=alpha, split=split, value=wer, **WER),
    ]


DEV = [
    *three("base", None, 80.0, 20.0, 50.0),
    *three("a", 0.1, 84.0, 18.0, 50.0),  # retains most, (5 % + 10 %) / 2, but gains nothing on asr
    *three("b", 0.25, 82.0, 19.0, 48.0),  # (2.5 % + 5 %) / 2, gains 4 %
    *three("c", 0.5, 72.0, 20.0, 40.0),  # (-10 % + 0 %) / 2, gains 20 %
    *three("d", 0.75, 40.0, 30.0, 45.0),  # worse than c in both
    *three("tuned", None, 79.0, 1.0, 30.0),  # best of all, but not merged
]


def test_the_best_retention_among_those_that_gain_on_the_target() -> None:
    found = recommend(DEV, base="base", target=["asr"])
    assert found is not None
    assert (found.label, found.alpha, found.rule) == ("b", Decimal("0.25"), RETAIN)
    assert (found.target, found.others) == (("asr",), ("sid", "pr"))
    option = next(each for each in found.options if each.label == "b")
    assert (option.gain, option.retention) == (pytest.approx(0.04), pytest.approx(0.0375))
    assert "gains +4.0% on asr" in found.reason
    assert "Of those merged that gain on asr, 3 of 4," in found.reason


def test_the_pareto_set_is_who_nobody_beats_in_both() -> None:
    merged_only = [each for each in DEV if each.label != "tuned"]
    found = recommend(merged_only, base="base", target=["asr"])
    assert found is not None
    assert {each.label for each in found.options if each.is_pareto} == {"a", "b", "c"}


def test_who_is_as_good_in_one_and_worse_in_the_other_is_beaten() -> None:
    as_good = [
        *three("base", None, 80.0, 20.0, 50.0),
        *three("a", 0.1, 82.0, 20.0, 45.0),
        *three("b", 0.2, 82.0, 20.0, 48.0),  # retains as much, gains less
        *three("c", 0.3, 80.0, 20.0, 45.0),  # gains as much, retains less
        *three("d", 0.4, 82.0, 20.0, 45.0),  # as good as a: neither beats the other
    ]
    found = recommend(as_good, base="base", target=["asr"])
    assert found is not None
    assert {each.label for each in found.options if each.is_pareto} == {"a", "d"}
    assert found.label == "a"  # the one nearer to the base


def test_test_scores_have_no_say() -> None:
    chosen = recommend(DEV, base="base", target=["asr"])
    good = [*three("base", None, 1.0, 99.0, 99.0, split="test"), *three("d", 0.75, 100.0, 0.1, 0.1, split="test")]
    bad = [*three("base", None, 99.0, 1.0, 1.0, split="test"), *three("b", 0.25, 0.1, 99.0, 99.0, split="test")]
    assert recommend([*good, *DEV], base="base", target=["asr"]) == chosen
    assert recommend([*DEV, *bad], base="base", target=["asr"]) == chosen


def test_when_nobody_gains_on_the_target_nobody_is_recommended() -> None:
    scores = [*three("base", None, 80.0, 20.0, 50.0), *three("a", 0.25, 99.0, 1.0, 51.0)]
    found = recommend(scores, base="base", target=["asr"])
    assert found is not None
    assert (found.label, found.alpha) == (None, None)
    assert "Of 1 merged, none gains on asr" in found.reason


def test_as_many_hits_with_other_seeds_are_no_gain() -> None:
    def hits(label: str, alpha: float | None, *counts: int) -> Score:
        shares = tuple(100 * count / 31 for count in counts)  # whose sums differ in the last bit
        return score(label=label, alpha=alpha, split="dev", value=sum(shares) / 3, values=shares, seeds=(1, 2, 3))

    found = recommend([hits("base", None, 23, 23, 23), hits("a", 0.5, 22, 25, 22)], base="base", target=["sid"])
    assert found is not None
    assert (found.label, [each.gain for each in found.options]) == (None, [0.0, 0.0])


def test_without_an_evaluated_target_the_best_over_all_tasks() -> None:
    found = recommend(DEV, base="base", target=["ks"])
    assert found is not None
    assert (found.label, found.rule) == ("a", NO_TARGET)  # 5 %; b: 3.8 %, c: 3.3 %
    assert found.reason == "Of 4 merged it is best on sid, pr and asr: a mean change of +5.0% from the base."
    worse = recommend(
        [*three("base", None, 80.0, 20.0, 50.0), *three("d", 1.0, 40.0, 20.0, 50.0)], base="base", target=[]
    )
    assert worse is not None
    assert worse.reason.endswith("a mean change of -16.7% from the base. The base is better than all of them.")


def test_with_the_target_alone_the_most_gain() -> None:
    found = recommend([each for each in DEV if each.task == "asr"], base="base", target=["asr"])
    assert found is not None
    assert (found.label, found.rule) == ("c", TARGET_ONLY)


def test_of_equals_the_smaller_alpha() -> None:
    scores = [
        *three("base", None, 80.0, 20.0, 50.0),
        *three("b", 0.5, 80.0, 20.0, 40.0),
        *three("a", 0.25, 80.0, 20.0, 40.0),
    ]
    found = recommend(scores, base="base", target=["asr"])
    assert found is not None
    assert found.label == "a"


@pytest.mark.parametrize(("seeds", "is_said"), [((40.0, 50.0, 60.0), False), ((40.0, 52.0, 61.0), True)])
def test_a_gain_within_the_noise_of_the_seeds_is_called_so(seeds: tuple[float, ...], is_said: bool) -> None:
    # paired: the seeds move base and merged together in the first case, so a small gain is sure
    start = (42.0, 52.0, 62.0)
    several = {"seeds": (1, 2, 3), **WER, "split": "dev"}
    scores = [
        score(value=52.0, values=start, **several),
        score(label="a", alpha=0.5, value=sum(seeds) / 3, values=seeds, **several),
    ]
    found = recommend(scores, base="base", target=["asr"])
    assert found is not None
    assert ("no proof" in found.reason) == is_said
    noise = next(each.noise for each in found.options if each.label == "a")
    assert noise is not None
    assert (noise < 1e-9) == (not is_said)


def test_two_seeds_are_paired_too() -> None:
    several = {"seeds": (1, 2), "split": "dev"}
    scores = [
        score(value=50.0, values=(40.0, 60.0), **several),
        score(label="a", alpha=0.5, value=52.0, values=(42.0, 62.0), **several),
    ]
    found = recommend(scores, base="base", target=["sid"])
    assert found is not None
    assert next(each.noise for each in found.options if each.label == "a") == pytest.approx(0.0, abs=1e-9)


def test_a_task_where_the_base_scores_nothing_has_no_say() -> None:
    scores = [*three("base", None, 0.0, 20.0, 50.0), *three("a", 0.25, 50.0, 15.0, 40.0)]
    found = recommend(scores, base="base", target=["asr"])
    assert found is not None
    assert found.others == ("pr",)


def test_an_encoder_without_a_finite_score_is_no_option() -> None:
    scores = [*three("base", None, 80.0, 20.0, 50.0), *three("a", 0.25, float("nan"), 1.0, 1.0)]
    assert recommend(scores, base="base", target=["asr"]) is None


def test_without_a_base_or_a_merge_there_is_nothing_to_recommend() -> None:
    assert recommend(three("a", 0.25, 50.0, 15.0, 10.0), base="base", target=["asr"]) is None
    assert recommend(three("base", None, 50.0, 15.0, 10.0), base="base", target=["asr"]) is None
