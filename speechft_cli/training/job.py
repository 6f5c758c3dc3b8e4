"""A task with its data: one of the things that an encoder is fine-tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechft_cli.data.batches import FRAME_STRIDE, Piece, Source
from speechft_cli.data.utterance import Seconds
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.tasks.base import Task, Vocabulary
from speechft_cli.tasks.masking import Masking
from speechft_cli.training.examples import Example


@dataclass(frozen=True)
class Job:
    """One task's share of a run.

    Attributes:
        task: What to train.
        vocabulary: Its classes.
        train: The train split.
        dev: The dev split.
        weight: Share of the updates, relative to the other jobs.
        crop_seconds: Longest stretch of an utterance to train on at a time [s]; None takes utterances whole.
        masking: Frames to hide, for masked prediction: then targets have one unit per frame. None otherwise.
        unmasked_weight: Weight of the loss on the frames that are not hidden.
    """

    task: Task
    vocabulary: Vocabulary
    train: Sequence[Example]
    dev: Sequence[Example]
    weight: float = 1.0
    crop_seconds: Seconds | None = None
    masking: Masking | None = None
    unmasked_weight: float = 0.0

    def source(self, batch_seconds: Seconds) -> Source:
        """Returns the audio of the train split, to be read in batches of `batch_seconds` [s]."""
        return Source([each.utterance for each in self.train], batch_seconds, self.crop_seconds, self.weight)

    def target(self, piece: Piece, family: EncoderFamily) -> Sequence[int]:
        """Returns what is to be predicted for a stretch of an utterance: the whole target, or its frames' units."""
        target = self.train[piece.utterance].target
        if self.masking is None:
            return target
        first = piece.start // FRAME_STRIDE
        return target[first : first + family.frame_count(piece.length)]
