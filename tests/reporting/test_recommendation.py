from decimal import Decimal

import pytest

from speechft_cli.reporting.recommendation import Recommendation, recommend
from speechft_cli.reporting.scores import Score
from tests.reporting.test_scores import score


def pair(label: str, alpha: str | None, acc: float, per: float, *, split: str = "dev") -> list[Score]:
    return [
        score(label=label, alpha=alpha, split=split, value=acc),
        score(label=label, alpha=alpha, split=split, value=per, task="pr", metric="per", better="lower"),
    ]


def test_the_best_alpha_gains_most_relative_to_the_base_over_all_tasks() -> None:
    scores = [
        *pair("base", None, 80.0, 20.0),
        *pair("alpha-0.25", "0.25", 84.0, 18.0),  # (+5 % + 10 %) / 2
        *pair("alpha-0.5", "0.5", 72.0, 16.0),  # (-10 % + 20 %) / 2
        *pair("tuned", None, 80.0, 1.0),  # best of all, but not merged
    ]
    found = recommend(scores, base="base")
    assert found is not None
    assert (found.label, found.alpha) == ("alpha-0.25", Decimal("0.25"))
    assert found.gain == pytest.approx(0.075)


def test_test_scores_have_no_say() -> None:
    dev = [*pair("base", None, 80.0, 20.0), *pair("a", "0.25", 84.0, 20.0), *pair("b", "0.5", 82.0, 20.0)]
    test = [*pair("base", None, 1.0, 99.0, split="test"), *pair("b", "0.5", 100.0, 1.0, split="test")]
    assert recommend([*test, *dev], base="base") == recommend(dev, base="base")


def test_of_equals_the_smallest_alpha_is_taken() -> None:
    scores = [*pair("base", None, 80.0, 20.0), *pair("b", "0.5", 80.0, 20.0), *pair("a", "0.25", 80.0, 20.0)]
    assert recommend(scores, base="base") == Recommendation("a", Decimal("0.25"), 0.0)


def test_a_task_where_the_base_scores_nothing_does_not_count() -> None:
    scores = [*pair("base", None, 0.0, 20.0), *pair("a", "0.25", 50.0, 15.0)]
    found = recommend(scores, base="base")
    assert found is not None
    assert found.gain == pytest.approx(0.25)


def test_without_a_base_or_a_merge_there_is_nothing_to_recommend() -> None:
    assert recommend(pair("a", "0.25", 50.0, 15.0), base="base") is None
    assert recommend(pair("base", None, 50.0, 15.0), base="base") is None
