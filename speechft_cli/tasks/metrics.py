"""Metrics as pure functions of strings, in per cent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jiwer

_DIGITS = 10  # far beyond what a score can tell, far above what rounding does to a sum


def word_error_rate(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Returns word errors per reference word over the whole list [%]; tokens are separated by blanks.

    Errors are summed over all utterances before they are divided, as is usual; no reference word at all gives nan.
    """
    if not any(reference.split() for reference in references):
        return float("nan")
    kept = [(reference, guess) for guess, reference in zip(predictions, references, strict=True) if reference.split()]
    # what is recognised where nothing was said counts as insertions
    inserted = sum(
        len(guess.split()) for guess, reference in zip(predictions, references, strict=True) if not reference.split()
    )
    alignment = jiwer.process_words([reference for reference, _ in kept], [guess for _, guess in kept])
    errors = alignment.substitutions + alignment.deletions + alignment.insertions + inserted
    return 100.0 * errors / sum(len(reference.split()) for reference, _ in kept)


def character_error_rate(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Returns character errors per reference character over the whole list [%]; blanks count as characters."""
    return word_error_rate([_spelled(guess) for guess in predictions], [_spelled(each) for each in references])


def accuracy(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Returns the share of predictions that equal their reference [%]."""
    if not references:
        return float("nan")
    hits = sum(guess == reference for guess, reference in zip(predictions, references, strict=True))
    return 100.0 * hits / len(references)


def mean(values: Sequence[float]) -> float:
    """Returns the mean; two that are equal on paper are equal here, so that "best" and "gains" mean what they say.

    22, 25 and 22 of 31 utterances are as many as 23, 23 and 23, but the sums of their percentages differ.
    """
    return round(math.fsum(values) / len(values), _DIGITS) + 0.0  # and no -0


def _spelled(text: str) -> str:
    """`A B` -> `A ␣ B`: every character a token of its own."""
    return " ".join("␣" if character == " " else character for character in " ".join(text.split()))
