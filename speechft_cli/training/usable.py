"""Which utterances can be trained on and scored: checked before the first update, column by column.

A million utterances are checked in seconds: none becomes an object, and targets are encoded when they are needed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.utterance import Seconds, field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.tasks.base import Task, Vocabulary

#: Samples at 16 kHz → frames of an encoder, of many utterances at once.
FrameCounts = Callable[[NDArray[np.int64]], NDArray[np.int64]]
#: Targets whose encoding is remembered: of classes there are few, transcripts rarely come twice.
_REMEMBERED = 4096
#: Characters shown of a target of which nothing is left.
_SHOWN = 60


@dataclass(frozen=True)
class LeftOut:
    """Why some utterances can't be trained on.

    Attributes:
        reason: The same for all of them.
        count: How many they are.
        utterance_id: The first of them.
        detail: What more there is to say of the first.
    """

    reason: str
    count: int
    utterance_id: str
    detail: str = ""


def usable_for_training(
    utterances: Utterances,
    task: Task,
    vocabulary: Vocabulary,
    *,
    frame_counts: FrameCounts,
    min_seconds: Seconds,
    max_seconds: Seconds,
) -> tuple[Utterances, list[LeftOut]]:
    """Returns the utterances to train on, and why others would do harm or nothing.

    Args:
        utterances: The train split.
        task: What to train.
        vocabulary: Its classes.
        frame_counts: Of the encoder.
        min_seconds: Shortest utterance to train on [s].
        max_seconds: Longest utterance to train on [s].
    """
    durations = utterances.durations
    of_each = _frames(utterances, frame_counts)
    frames = of_each.tolist()
    is_fitting = ((durations >= min_seconds) & (durations <= max_seconds) & (of_each > 0)).tolist()
    need = functools.lru_cache(_REMEMBERED)(functools.partial(_need, task, vocabulary))
    flaws, named = _Flaws(utterances), field_in_words(task.needs)
    for place, target in enumerate(utterances.targets(task.needs)):
        if target is None:
            flaws.add(place, f"no {named}")
            continue
        most = task.frames_at_most(target, vocabulary) if is_fitting[place] else None
        if most is not None and most <= frames[place]:
            continue
        needed = need(target)
        if needed == _EMPTY:
            flaws.add(place, f"nothing usable in {named}", repr(target[:_SHOWN]))
        elif not is_fitting[place]:
            flaws.add(place, *_misfit(float(durations[place]), min_seconds, max_seconds))
        elif needed.unknown is not None:
            flaws.add(place, "outside the vocabulary", needed.unknown)
        elif needed.frames > frames[place]:
            flaws.add(place, "target longer than the frames", f"{needed.symbols} symbols, {frames[place]} frames")
    return flaws.others(), flaws.left_out


def usable_by_length(
    utterances: Utterances, *, frame_counts: FrameCounts, min_seconds: Seconds, max_seconds: Seconds
) -> tuple[Utterances, list[LeftOut]]:
    """Returns the utterances of a fitting length, and why there are others; targets come later, from the audio."""
    durations, frames = utterances.durations, _frames(utterances, frame_counts)
    flaws = _Flaws(utterances)
    for place in np.flatnonzero((durations < min_seconds) | (durations > max_seconds) | (frames == 0)).tolist():
        flaws.add(place, *_misfit(float(durations[place]), min_seconds, max_seconds))
    return flaws.others(), flaws.left_out


def usable_for_scoring(
    utterances: Utterances, task: Task, *, frame_counts: FrameCounts, max_seconds: Seconds
) -> Utterances:
    """Returns every utterance that has a target, a frame and at most `max_seconds`."""
    is_fitting = (utterances.durations <= max_seconds) & (_frames(utterances, frame_counts) > 0)
    has_target = [target is not None and bool(task.normalise(target)) for target in utterances.targets(task.needs)]
    return utterances.select(np.flatnonzero(is_fitting & np.array(has_target, dtype=bool)))


class _Flaws:
    """Counts what is left out, by reason."""

    def __init__(self, utterances: Utterances) -> None:
        self._utterances = utterances
        self._by_reason: dict[str, LeftOut] = {}
        self._is_left_out = np.zeros(len(utterances), dtype=bool)

    def add(self, place: int, reason: str, detail: str = "") -> None:
        """Leaves out the utterance at a place."""
        self._is_left_out[place] = True
        first = self._by_reason.get(reason) or LeftOut(reason, 0, self._utterances[place].id, detail)
        self._by_reason[reason] = replace(first, count=first.count + 1)

    def others(self) -> Utterances:
        """Returns the utterances that are not left out."""
        return self._utterances.select(np.flatnonzero(~self._is_left_out))

    @property
    def left_out(self) -> list[LeftOut]:
        """Each reason, in the order of its first utterance."""
        return list(self._by_reason.values())


@dataclass(frozen=True)
class _Need:
    """What a target needs: frames for its symbols, unless one of them is unknown."""

    symbols: int = 0
    frames: int = 0
    unknown: str | None = None


_EMPTY = _Need()


def _need(task: Task, vocabulary: Vocabulary, target: str) -> _Need:
    reference = task.normalise(target)
    if not reference:
        return _EMPTY
    try:
        encoded = task.encode(reference, vocabulary)
    except KeyError as error:
        return _Need(unknown=str(error.args[0]))
    return _Need(len(encoded), task.frames_needed(encoded))


def _frames(utterances: Utterances, frame_counts: FrameCounts) -> NDArray[np.int64]:
    # rounded: as a fraction of a second a number of samples is often a little less than itself
    return frame_counts(np.rint(utterances.durations * SAMPLE_RATE).astype(np.int64))


def _misfit(duration: Seconds, min_seconds: Seconds, max_seconds: Seconds) -> tuple[str, str]:
    if duration < min_seconds:
        bound = f"shorter than min_seconds ({min_seconds:g} s)"
    elif duration > max_seconds:
        bound = f"longer than max_seconds ({max_seconds:g} s)"
    else:
        bound = "too short for a frame"
    return bound, f"{duration:.2f} s"
