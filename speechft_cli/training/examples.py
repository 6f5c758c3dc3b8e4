"""Utterances with their targets, checked before the first update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.tasks.base import Task, Vocabulary


@dataclass(frozen=True)
class Example:
    """One utterance to train on or to score.

    Attributes:
        utterance: The audio.
        reference: Its target, normalised.
        target: Class indices; empty where it is only scored. For masked prediction an array with one unit per frame,
            on dev as well.
    """

    utterance: Utterance
    reference: str
    target: Sequence[int] = ()


@dataclass(frozen=True)
class LeftOut:
    """An utterance that can't be trained on, and why."""

    utterance_id: str
    reason: str
    detail: str = ""


def training_examples(
    utterances: Iterable[Utterance],
    task: Task,
    vocabulary: Vocabulary,
    *,
    frame_count: Callable[[int], int],
    min_seconds: Seconds,
    max_seconds: Seconds,
) -> tuple[list[Example], list[LeftOut]]:
    """Sorts utterances into those to train on and those that would do harm or nothing.

    Args:
        utterances: The train split.
        task: What to train.
        vocabulary: Its classes.
        frame_count: Samples at 16 kHz → frames of the encoder.
        min_seconds: Shortest utterance to train on [s].
        max_seconds: Longest utterance to train on [s].
    """
    examples: list[Example] = []
    rejected: list[LeftOut] = []
    for utterance in utterances:
        verdict = _example(utterance, task, vocabulary, frame_count, min_seconds, max_seconds)
        if isinstance(verdict, Example):
            examples.append(verdict)
        else:
            rejected.append(verdict)
    return examples, rejected


def unlabelled_examples(
    utterances: Iterable[Utterance], *, min_seconds: Seconds, max_seconds: Seconds
) -> tuple[list[Example], list[LeftOut]]:
    """Sorts utterances into those of a fitting length and the others; targets come later, from the audio itself."""
    examples: list[Example] = []
    rejected: list[LeftOut] = []
    for utterance in utterances:
        misfit = _misfit(utterance, min_seconds, max_seconds)
        if misfit is None:
            examples.append(Example(utterance, ""))
        else:
            rejected.append(misfit)
    return examples, rejected


def scoring_examples(utterances: Iterable[Utterance], task: Task, *, max_seconds: Seconds) -> list[Example]:
    """Returns every utterance that has a target and at most `max_seconds`."""
    return [
        Example(utterance, task.normalise(target))
        for utterance in utterances
        if (target := utterance.target(task.needs)) is not None
        and task.normalise(target)
        and utterance.duration <= max_seconds
    ]


def _example(
    utterance: Utterance,
    task: Task,
    vocabulary: Vocabulary,
    frame_count: Callable[[int], int],
    min_seconds: Seconds,
    max_seconds: Seconds,
) -> Example | LeftOut:
    raw = utterance.target(task.needs)
    if raw is None:
        return LeftOut(utterance.id, f"no {task.needs}")
    reference = task.normalise(raw)
    if not reference:
        return LeftOut(utterance.id, f"empty {task.needs}")
    misfit = _misfit(utterance, min_seconds, max_seconds)
    if misfit is not None:
        return misfit
    try:
        target = task.encode(reference, vocabulary)
    except KeyError as error:
        return LeftOut(utterance.id, "outside the vocabulary", str(error.args[0]))
    frames = frame_count(int(utterance.duration * SAMPLE_RATE))
    if task.frames_needed(target) > frames:
        return LeftOut(utterance.id, "target longer than the frames", f"{len(target)} symbols, {frames} frames")
    return Example(utterance, reference, tuple(target))


def _misfit(utterance: Utterance, min_seconds: Seconds, max_seconds: Seconds) -> LeftOut | None:
    if utterance.duration < min_seconds:
        return LeftOut(utterance.id, f"shorter than {min_seconds:g} s", f"{utterance.duration:.2f} s")
    if utterance.duration > max_seconds:
        return LeftOut(utterance.id, f"longer than {max_seconds:g} s", f"{utterance.duration:.2f} s")
    return None
