"""Batches by seconds, as a pure function of seed and epoch: a position in the data is two numbers.

lhotse's samplers keep their position in state that must be replayed and depends on the number of ranks; a plan that
can be computed anew at any point makes exact resumption a matter of counting.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.errors import SpeechftError


class Position(NamedTuple):
    """Where in the data a run is: the next batch of which epoch, both from 0."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Batch:
    """Some utterances and their waveforms.

    Attributes:
        indices: Which utterances, by their place in the list the batches were planned over.
        waveforms: One (N_i,) each, 16 kHz.
    """

    indices: tuple[int, ...]
    waveforms: tuple[Tensor, ...]


def plan_epoch(durations: Sequence[Seconds], *, batch_seconds: Seconds, seed: int, epoch: int) -> list[list[int]]:
    """Groups utterances of similar length into batches, every utterance once, in random order.

    Args:
        durations: Of each utterance [s].
        batch_seconds: Most audio a batch may hold, padding included [s]; a longer utterance is a batch of its own.
        seed: Of the run.
        epoch: From 0; every epoch has other batches.

    Returns:
        Batches of indices into `durations`.
    """
    random = np.random.default_rng((seed, epoch))
    lengths = np.asarray(durations, dtype=np.float64)
    # lengths are blurred by ±10 %, so that an utterance meets others than its neighbours in length
    order = np.argsort(lengths * random.uniform(0.9, 1.1, len(lengths)), kind="stable")
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in order.tolist():
        longest = max(longest, durations[index])
        if batch and longest * (len(batch) + 1) > batch_seconds:
            batches.append(batch)
            batch, longest = [], durations[index]
        batch.append(index)
    if batch:
        batches.append(batch)
    return [batches[place] for place in random.permutation(len(batches)).tolist()]


def load_batches(
    utterances: Sequence[Utterance], *, batch_seconds: Seconds, seed: int, start: Position, workers: int
) -> Iterator[tuple[Position, Batch]]:
    """Reads batches without end, from `start` on; each comes with the position of the batch after it.

    Args:
        utterances: What to read.
        batch_seconds: Most audio a batch may hold, padding included [s].
        seed: Of the run.
        start: The first batch to read.
        workers: Processes that read ahead; 0 reads in this process.

    Raises:
        SpeechftError: A recording can't be read.
    """
    plan = _Plan([each.duration for each in utterances], batch_seconds=batch_seconds, seed=seed, start=start)
    loader = DataLoader(
        _Waveforms(utterances),
        batch_sampler=plan,  # an endless iterable of batches is enough for it
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_leave_signals_to_the_main_process,
        generator=torch.Generator(),  # else the loader takes its seed from the global generator
    )
    for position, items in zip(plan.positions(), loader, strict=False):
        yield position, _batch(items)


class _Plan:
    """The endless sequence of batches after `start`."""

    def __init__(self, durations: Sequence[Seconds], *, batch_seconds: Seconds, seed: int, start: Position) -> None:
        self._durations = durations
        self._batch_seconds = batch_seconds
        self._seed = seed
        self._start = start

    def __iter__(self) -> Iterator[list[int]]:
        epoch, first = self._start
        while True:
            yield from self._epoch(epoch)[first:]
            epoch, first = epoch + 1, 0

    def positions(self) -> Iterator[Position]:
        """The position after each of those batches."""
        epoch, first = self._start
        while True:
            count = len(self._epoch(epoch))
            for done in range(first + 1, count + 1):
                yield Position(epoch, done) if done < count else Position(epoch + 1, 0)
            epoch, first = epoch + 1, 0

    def _epoch(self, epoch: int) -> list[list[int]]:
        return plan_epoch(self._durations, batch_seconds=self._batch_seconds, seed=self._seed, epoch=epoch)


class _Waveforms(Dataset[tuple[int, Tensor | SpeechftError]]):
    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._utterances = utterances

    def __getitem__(self, index: int) -> tuple[int, Tensor | SpeechftError]:
        try:
            return index, read_waveform(self._utterances[index])
        except SpeechftError as error:
            return index, error  # raised in the main process: a worker would wrap it in its own traceback


def _batch(items: list[tuple[int, Tensor | SpeechftError]]) -> Batch:
    waveforms = []
    for _, item in items:
        if isinstance(item, SpeechftError):
            raise item
        waveforms.append(item)
    return Batch(tuple(index for index, _ in items), tuple(waveforms))


def _as_it_is(items: list[tuple[int, Tensor | SpeechftError]]) -> list[tuple[int, Tensor | SpeechftError]]:
    return items


def _leave_signals_to_the_main_process(worker: int) -> None:
    # Ctrl-C and a scheduler's SIGTERM reach the whole process group; the main process saves and then ends the workers
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
