"""A task with its data: one of the things that an encoder is fine-tuned on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.batches import FRAME_STRIDE, Piece, Source
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.tasks.base import Task, Vocabulary
from speechft_cli.tasks.masking import Masking
from speechft_cli.training.units import Units


@dataclass(frozen=True)
class Job:
    """One task's share of a run.

    Attributes:
        task: What to train.
        vocabulary: Its classes.
        train: The train split: every utterance has a target.
        dev: The dev split.
        weight: Share of the updates, relative to the other jobs.
        crop_seconds: Longest stretch of an utterance to train on at a time [s]; None takes utterances whole.
        masking: Frames to hide, for masked prediction: then targets have one unit per frame. None otherwise.
        unmasked_weight: Weight of the loss on the frames that are not hidden.
        units: With masking the targets: of each utterance of `train`, then of `dev`.
    """

    task: Task
    vocabulary: Vocabulary
    train: Utterances
    dev: Utterances
    weight: float = 1.0
    crop_seconds: Seconds | None = None
    masking: Masking | None = None
    unmasked_weight: float = 0.0
    units: Units | None = None

    def source(self, batch_seconds: Seconds) -> Source:
        """Returns the audio of the train split, to be read in batches of `batch_seconds` [s]."""
        if batch_seconds not in self._sources:
            self._sources[batch_seconds] = Source(self.train, batch_seconds, self.crop_seconds, self.weight)
        return self._sources[batch_seconds]

    @functools.cached_property
    def _sources(self) -> dict[Seconds, Source]:
        return {}  # so that who plans an epoch a second time finds it planned

    def largest_batch(self, batch_seconds: Seconds) -> tuple[Piece, ...]:
        """Returns of an epoch's batches of `batch_seconds` [s] the one with the most audio, padding included."""
        source = self.source(batch_seconds)
        batch = source.plan(0, 0).largest(source.durations)
        return tuple(
            Piece(0, index, 0, round(float(source.durations[index]) * SAMPLE_RATE)) for index in batch.tolist()
        )

    def targets(self, pieces: Sequence[Piece], family: EncoderFamily) -> list[Sequence[int]]:
        """Returns what is to be predicted for stretches of utterances: whole targets, or the frames' units."""
        if self.units is not None:
            firsts = [piece.start // FRAME_STRIDE for piece in pieces]
            return [
                self.units[piece.utterance][first : first + family.frame_count(piece.length)]
                for first, piece in zip(firsts, pieces, strict=True)
            ]
        chosen = self.train.select([piece.utterance for piece in pieces])
        return [self.task.encode(self.reference(each), self.vocabulary) for each in chosen]

    def reference(self, utterance: Utterance) -> str:
        """Returns the target of an utterance as it is trained on and scored."""
        return self.task.normalise(utterance.target(self.task.needs) or "")

    def dev_units(self, index: int) -> Sequence[int]:
        """Returns the units of an utterance of dev, by its place there."""
        assert self.units is not None
        return self.units[len(self.train) + index]
