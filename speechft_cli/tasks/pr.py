"""Phoneme recognition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from speechft_cli.tasks import ctc
from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.heads import FrameHead
from speechft_cli.tasks.metrics import word_error_rate


@dataclass(frozen=True)
class PhonemeRecognition:
    """Phonemes with CTC, greedy decoding; its metric is the error rate of phonemes."""

    name: str = "pr"
    needs: str = "phones"
    metrics: tuple[Metric, ...] = (Metric("per", "PER", "%", "lower"),)
    is_pooled: bool = False
    is_closed_set: bool = False
    probe_steps: int = 2_000
    probe_learning_rates: tuple[float, ...] = (1e-2,)

    def normalise(self, target: str) -> str:
        """Returns the phonemes separated by single blanks."""
        return " ".join(target.split())

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns the blank and every phoneme of the train split, sorted."""
        return Vocabulary(("<blank>", *sorted({phone for target in targets for phone in target.split()})))

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns one index per phoneme."""
        index = vocabulary.index()
        return [index[phone] for phone in target.split()]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns the frames of CTC's shortest path."""
        return ctc.frames_needed(target)

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns SUPERB's two linear layers at every frame."""
        return FrameHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return FrameHead(width, classes)

    def loss(self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
        """Returns the CTC loss."""
        return ctc.ctc_loss(logits, frame_counts, targets)

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the phonemes of the best paths, separated by blanks."""
        return [" ".join(vocabulary.symbols[index] for index in path) for path in ctc.greedy(logits, frame_counts)]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns per [%]."""
        return {"per": word_error_rate(predictions, references)}


PR = PhonemeRecognition()
