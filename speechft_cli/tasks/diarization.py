"""Who speaks when: segments, and the error rate between two accounts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


class Segment(NamedTuple):
    """A stretch in which one speaker speaks, in seconds from the start of the recording."""

    speaker: str
    start: float
    end: float


class Errors(NamedTuple):
    """What is wrong in one recording, each in seconds of speech; divided by `speech` it is the error rate."""

    missed: float
    false_alarm: float
    confused: float
    speech: float


def read_segments(text: str) -> list[Segment]:
    """Reads `SPEAKER START END` with times in seconds, several separated by `;`.

    Raises:
        ValueError: Something is no segment.
    """
    segments = []
    for item in filter(None, (item.strip() for item in text.split(";"))):
        try:
            speaker, start, end = item.split()
            segment = Segment(speaker, float(start), float(end))
        except ValueError as error:
            raise ValueError(f"must be SPEAKER START END, got {item!r}") from error
        if not 0 <= segment.start < segment.end < float("inf"):
            raise ValueError(f"must start at 0 s or later and end after that, got {item!r}")
        segments.append(segment)
    return segments


def diarization_errors(guess: Sequence[Segment], truth: Sequence[Segment]) -> Errors:
    """Compares two accounts under the one-to-one naming of speakers that makes most of the guess right.

    Time is exact: nothing is cut into frames, and no collar forgives what is wrong near a boundary. Speech of several
    speakers at once counts once for each.

    Args:
        guess: Whatever the speakers are called.
        truth: The reference.

    Source: NIST RT-09 evaluation plan, diarization error rate.
    """
    times = np.array(sorted({edge for each in (*guess, *truth) for edge in (each.start, each.end)}), dtype=np.float64)
    middles, lengths = (times[1:] + times[:-1]) / 2, np.diff(times)
    true, guessed = _activity(truth, middles), _activity(guess, middles)
    together = (true[:, None] & guessed[None]) @ lengths  # (R, N), (H, N) -> (R, H) seconds both speak
    named, as_named = linear_sum_assignment(-together)
    right = float(together[named, as_named].sum())
    count_true, count_guessed = true.sum(axis=0), guessed.sum(axis=0)
    return Errors(
        missed=float(np.maximum(count_true - count_guessed, 0) @ lengths),
        false_alarm=float(np.maximum(count_guessed - count_true, 0) @ lengths),
        confused=float(np.minimum(count_true, count_guessed) @ lengths) - right,
        speech=float(count_true @ lengths),
    )


def diarization_error_rate(errors: Sequence[Errors]) -> float:
    """Returns all errors of all recordings over all speech [%]; no speech at all gives nan."""
    speech = sum(each.speech for each in errors)
    wrong = sum(each.missed + each.false_alarm + each.confused for each in errors)
    return 100.0 * wrong / speech if speech else float("nan")


def by_speaker(segments: Sequence[Segment]) -> Mapping[str, list[Segment]]:
    """Returns speaker → segments, in order of first appearance."""
    speakers: dict[str, list[Segment]] = {}
    for each in segments:
        speakers.setdefault(each.speaker, []).append(each)
    return speakers


def _activity(segments: Sequence[Segment], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns whether each speaker speaks at each time: (speakers, N)."""
    rows = [
        np.any([(times > each.start) & (times < each.end) for each in own], axis=0)
        for own in by_speaker(segments).values()
    ]
    return np.array(rows, dtype=np.bool_).reshape(len(rows), len(times))
