from __future__ import annotations

import math

from speechft_cli.tasks.metrics import accuracy, character_error_rate, mean, word_error_rate


def test_wer_counts_words_and_cer_counts_characters() -> None:
    # the published code has the two the wrong way round: https://github.com/nervjack2/Speech-FT, asr_ted
    assert word_error_rate(["HELLO WORD"], ["HELLO WORLD"]) == 50.0
    assert character_error_rate(["HELLO WORD"], ["HELLO WORLD"]) == 100 / 11


def test_errors_are_summed_over_utterances_before_they_are_divided() -> None:
    # 1 error of 1 word and 0 of 3: 25 %, where a mean over utterances would say 50 %
    assert word_error_rate(["B", "A B C"], ["A", "A B C"]) == 25.0


def test_nothing_recognised_is_all_deletions() -> None:
    assert word_error_rate(["", ""], ["A B", "C"]) == 100.0


def test_words_heard_in_silence_are_insertions() -> None:
    assert word_error_rate(["A B", "C D"], ["A B", ""]) == 100.0


def test_words_that_were_not_said_are_errors_too() -> None:
    assert word_error_rate(["A X B Y"], ["A B"]) == 100.0
    assert word_error_rate(["A X C Y"], ["A B C D E"]) == 60.0  # two substitutions, one deletion


def test_blanks_count_as_characters_once_each() -> None:
    assert character_error_rate(["AB"], ["A B"]) == 100 / 3
    assert character_error_rate(["A  B"], ["A B"]) == 0.0


def test_no_reference_gives_no_number() -> None:
    assert math.isnan(word_error_rate([], []))
    assert math.isnan(accuracy([], []))


def test_accuracy_is_a_percentage() -> None:
    assert accuracy(["a", "b", "c", "d"], ["a", "b", "c", "x"]) == 75.0


def test_a_mean_is_the_sum_over_the_count_and_never_minus_zero() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0
    assert math.copysign(1.0, mean([-1e-12, 0.0])) == 1.0


def test_as_many_hits_over_all_seeds_are_the_same_mean() -> None:
    uneven = [100 * hits / 31 for hits in (22, 25, 22)]
    even = [100 * hits / 31 for hits in (23, 23, 23)]
    # added up one by one; from Python 3.12 on `sum` itself makes up for what rounding lost
    assert uneven[0] + uneven[1] + uneven[2] != even[0] + even[1] + even[2]
    assert mean(uneven) == mean(even)
