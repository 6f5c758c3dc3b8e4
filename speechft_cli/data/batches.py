"""Which utterances are trained on when, as a pure function of seed and position.

lhotse's samplers keep their position in state that must be replayed and depends on the number of ranks; a plan that
can be computed anew at any point makes exact resumption a matter of counting.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.utterance import Seconds
from speechft_cli.data.utterances import Utterances

#: Crops begin on the frame grid that every CNN encoder here has [samples at 16 kHz], so that labels of frames fit.
FRAME_STRIDE = 320


class Position(NamedTuple):
    """Where in a source's data a run is: the next batch of which epoch, both from 0."""

    epoch: int = 0
    batch: int = 0


class Piece(NamedTuple):
    """A stretch of an utterance.

    Attributes:
        source: Which source it is of, by its place in the list of sources.
        utterance: Which utterance of the source.
        start: Where it begins in the utterance [samples at 16 kHz].
        length: Its length [samples at 16 kHz].
    """

    source: int
    utterance: int
    start: int
    length: int


@dataclass(frozen=True)
class Source:
    """The training data of one task.

    Attributes:
        utterances: Every one is trained on once per epoch.
        batch_seconds: Most audio a batch may hold, padding included [s].
        crop_seconds: Of longer utterances a random stretch of this length is taken, another one each epoch [s];
            None: utterances are taken whole.
        weight: Share of the updates, relative to the other sources.
    """

    utterances: Utterances
    batch_seconds: Seconds
    crop_seconds: Seconds | None = None
    weight: float = 1.0

    @functools.cached_property
    def durations(self) -> NDArray[np.float64]:
        """Seconds of each utterance that are trained on at a time (utterances,)."""
        return np.minimum(self.utterances.durations, self.crop_seconds or np.inf)

    @functools.cached_property
    def plan(self) -> Callable[[int, int], Epoch]:
        """Seed, number of an epoch → its batches; two are remembered, for who reads ahead and who trains."""
        return functools.lru_cache(2)(self._plan)

    def _plan(self, seed: int, epoch: int) -> Epoch:
        return plan_epoch(self.durations, batch_seconds=self.batch_seconds, seed=seed, epoch=epoch)


@dataclass(frozen=True)
class Planned:
    """The data of one update on one rank.

    Attributes:
        source: Which source it is of.
        batches: What to read: one batch per accumulated gradient.
        positions: Of every source, after this update.
    """

    source: int
    batches: tuple[tuple[Piece, ...], ...]
    positions: tuple[Position, ...]


@dataclass(frozen=True, eq=False)
class Epoch(Sequence[NDArray[np.int64]]):
    """The batches of an epoch, each as its utterances.

    Attributes:
        order: Utterances as they were grouped (utterances,).
        borders: Where in `order` each group begins, and where the last one ends (batches + 1,).
        turns: Which group is the batch at each turn (batches,).
    """

    order: NDArray[np.int64]
    borders: NDArray[np.int64]
    turns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.turns)

    @overload
    def __getitem__(self, turn: int) -> NDArray[np.int64]: ...

    @overload
    def __getitem__(self, turn: slice) -> list[NDArray[np.int64]]: ...

    def __getitem__(self, turn: int | slice) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        """Returns the batch at a turn, or several."""
        if isinstance(turn, slice):
            return [self[each] for each in range(*turn.indices(len(self)))]
        group = self.turns[turn]
        return self.order[self.borders[group] : self.borders[group + 1]]

    def largest(self, lengths: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns the batch that has the most audio, padding included, given the length of each utterance."""
        longest = np.maximum.reduceat(lengths[self.order], self.borders[:-1])
        group = int(np.argmax(longest * np.diff(self.borders)))
        return self.order[self.borders[group] : self.borders[group + 1]]


def plan_epoch(
    durations: Sequence[Seconds] | NDArray[np.float64], *, batch_seconds: Seconds, seed: int, epoch: int
) -> Epoch:
    """Groups utterances of similar length into batches, every utterance once, in random order.

    Args:
        durations: Of each utterance [s].
        batch_seconds: Most audio a batch may hold, padding included [s]; a longer utterance is a batch of its own.
        seed: Of the run.
        epoch: From 0; every epoch has other batches.
    """
    random = np.random.default_rng((seed, epoch))
    lengths = np.asarray(durations, dtype=np.float64)
    # lengths are blurred by ±10 %, so that an utterance meets others than its neighbours in length
    order = np.argsort(lengths * random.uniform(0.9, 1.1, len(lengths)), kind="stable")
    borders = [0]
    longest, first = 0.0, 0
    for place, length in enumerate(lengths[order].tolist()):
        longest = max(longest, length)
        if longest * (place + 1 - first) > batch_seconds and place > first:
            borders.append(place)
            longest, first = length, place
    groups = len(borders)
    return Epoch(order, np.array([*borders, len(order)], dtype=np.int64), random.permutation(groups))


def plan_updates(
    sources: Sequence[Source],
    *,
    seed: int,
    step: int,
    positions: Sequence[Position],
    batches_per_update: int = 1,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Planned]:
    """Plans updates without end, from the update after `step` updates on.

    Every update takes the next `world * batches_per_update` batches of one source, each rank its share, so that no
    two ranks see the same batch and a run that goes on with another number of ranks leaves no batch out.

    Args:
        sources: Which of them an update trains on is drawn by their weights, the same on every rank.
        seed: Of the run.
        step: Updates made.
        positions: Of every source.
        batches_per_update: Batches whose gradients are accumulated on each rank.
        rank: This process.
        world: Number of processes.
    """
    epochs = [_Epochs(number, source, seed) for number, source in enumerate(sources)]
    now = list(positions)
    shares = np.array([source.weight for source in sources]) / sum(source.weight for source in sources)
    while True:
        # a generator of its own for each update: which source comes does not depend on where the plan began
        drawn = int(np.random.default_rng((seed, 1, step)).choice(len(sources), p=shares)) if len(sources) > 1 else 0
        group = []
        for _ in range(world * batches_per_update):
            batch, now[drawn] = epochs[drawn].take(now[drawn])
            group.append(batch)
        yield Planned(drawn, tuple(group[rank::world]), tuple(now))
        step += 1


class _Epochs:
    """The batches of one source; the plan of the epoch asked for last is kept."""

    def __init__(self, number: int, source: Source, seed: int) -> None:
        self._number = number
        self._source = source
        self._seed = seed
        self._durations = source.utterances.durations
        self._epoch = -1
        self._batches: Sequence[NDArray[np.int64]] = ()
        self._where = np.zeros(0)

    def take(self, position: Position) -> tuple[tuple[Piece, ...], Position]:
        """Returns the batch at `position` and the position after it."""
        epoch, batch = position
        if epoch != self._epoch:
            self._batches = self._source.plan(self._seed, epoch)
            self._where = np.random.default_rng((self._seed, 2, epoch)).random(len(self._durations))
            self._epoch = epoch
        pieces = tuple(self._piece(index) for index in self._batches[batch].tolist())
        return pieces, Position(epoch, batch + 1) if batch + 1 < len(self._batches) else Position(epoch + 1, 0)

    def _piece(self, index: int) -> Piece:
        whole = round(float(self._durations[index]) * SAMPLE_RATE)
        length = whole
        if self._source.crop_seconds is not None:
            length = min(whole, round(self._source.crop_seconds * SAMPLE_RATE))
        places = (whole - length) // FRAME_STRIDE + 1
        return Piece(self._number, index, int(self._where[index] * places) * FRAME_STRIDE, length)
