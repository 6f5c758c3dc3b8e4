"""The greedy recipe, against scores that are given."""

from __future__ import annotations

from collections.abc import Sequence

from speechft_cli.merging.soup import Taste, greedy


def score_of(table: dict[frozenset[int], float], asked: list[tuple[int, ...]]):
    def score(numbers: Sequence[int]) -> float:
        asked.append(tuple(numbers))
        return table[frozenset(numbers)]

    return score


def test_models_are_added_best_first_while_the_score_does_not_fall() -> None:
    asked: list[tuple[int, ...]] = []
    table = {frozenset({1, 2}): 80.0, frozenset({1, 2, 0}): 79.9, frozenset({1, 2, 3}): 80.0}
    tastes = greedy([70.0, 78.0, 75.0, 60.0], score_of(table, asked), is_higher_better=True)
    assert tastes == [
        Taste(1, 78.0, 78.0, True),
        Taste(2, 75.0, 80.0, True),
        Taste(0, 70.0, 79.9, False),  # worse, so it is left out of what follows
        Taste(3, 60.0, 80.0, True),  # no worse is good enough
    ]
    assert asked == [(1, 2), (1, 2, 0), (1, 2, 3)]


def test_an_error_rate_is_better_when_it_is_lower_and_equals_keep_their_order() -> None:
    asked: list[tuple[int, ...]] = []
    table = {frozenset({0, 2}): 12.0, frozenset({0, 1}): 9.0}
    tastes = greedy([10.0, 30.0, 10.0], score_of(table, asked), is_higher_better=False)
    assert [(taste.number, taste.is_kept) for taste in tastes] == [(0, True), (2, False), (1, True)]
