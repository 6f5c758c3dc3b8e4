"""Speaker identification in a closed set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.heads import PooledHead
from speechft_cli.tasks.metrics import accuracy


@dataclass(frozen=True)
class SpeakerIdentification:
    """Which of the training speakers is it?; its metric is accuracy."""

    name: str = "sid"
    needs: str = "speaker"
    metrics: tuple[Metric, ...] = (Metric("acc", "SID acc", "%", "higher"),)
    is_pooled: bool = True
    is_closed_set: bool = True
    probe_steps: int = 1_000
    probe_learning_rates: tuple[float, ...] = (1e-1, 1e-2, 1e-3)

    def normalise(self, target: str) -> str:
        """Returns the speaker's name as it is."""
        return target

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns every speaker of the train split, sorted."""
        return Vocabulary(tuple(sorted(set(targets))))

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns the one index of the speaker."""
        return [vocabulary.index()[target]]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns 1: any utterance will do."""
        del target
        return 1

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns SUPERB's head: projection 256, mean over frames, one linear layer."""
        return PooledHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return PooledHead(width, classes)

    def loss(self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
        """Returns the cross entropy for logits (B, C)."""
        del frame_counts
        return F.cross_entropy(logits.float(), torch.tensor([target[0] for target in targets], device=logits.device))

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the most likely speakers."""
        del frame_counts
        return [vocabulary.symbols[index] for index in logits.argmax(dim=-1).tolist()]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns acc [%]."""
        return {"acc": accuracy(predictions, references)}


SID = SpeakerIdentification()
