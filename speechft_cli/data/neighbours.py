"""Which utterances are encoded together when nothing trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.io.ahead import READERS, in_order

#: Most utterances and most audio [s] encoded at once.
_MOST, MOST_SECONDS = 32, 64.0
#: Most of an utterance's batch that is padding [1], which costs time though it changes nothing; at 0.2 HuBERT base took
#: longer on a CPU than one by one.
MOST_PADDING = 0.05


def runs_of_neighbours(
    durations: Sequence[Seconds], *, most_seconds: Seconds = MOST_SECONDS, most_padding: float = MOST_PADDING
) -> Iterator[slice]:
    """Yields stretches of a sequence that make a batch each.

    Args:
        durations: Of the utterances [s], ascending.
        most_seconds: Most audio in a batch, padding included [s]; a longer utterance is a batch of its own.
        most_padding: Most of an utterance's batch that is padding [1].
    """
    first = 0
    for place, duration in enumerate(durations):
        count = place + 1 - first
        fits = count <= _MOST and duration * count <= most_seconds
        if not fits or durations[first] < (1 - most_padding) * duration:
            if place > first:
                yield slice(first, place)
            first = place
    if len(durations):
        yield slice(first, len(durations))


def batches_to_encode(
    durations: NDArray[np.float64], *, device: str, most_seconds: Seconds = MOST_SECONDS
) -> list[list[int]]:
    """Returns which utterances an encoder with exact padding takes at once, every one of them once.

    Args:
        durations: Of the utterances [s].
        device: Type of the encoder's. With one utterance at a time a GPU would mostly wait for its next kernel; a CPU
            takes no longer for them one by one, and lets go sooner when it is interrupted.
        most_seconds: Most audio in a batch, padding included [s].
    """
    if device == "cpu":
        return [[each] for each in range(len(durations))]
    order = np.argsort(durations, kind="stable")
    runs = runs_of_neighbours(durations[order].tolist(), most_seconds=most_seconds)
    return [order[run].tolist() for run in runs]


def read_batches(
    utterances: Sequence[Utterance], batches: Sequence[Sequence[int]]
) -> Iterator[tuple[Sequence[int], list[Tensor]]]:
    """Yields each batch with the waveforms (N_i,) of its utterances; the next ones are read meanwhile."""
    read = in_order(lambda batch: [read_waveform(utterances[each]) for each in batch], batches, workers=READERS)
    return zip(batches, read, strict=True)
