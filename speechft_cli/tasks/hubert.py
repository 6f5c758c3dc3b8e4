"""HuBERT's masked prediction: pre-training, and continued pre-training, without labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.metrics import accuracy

#: The unit of a frame past an utterance's own, or one that is not asked for.
NO_UNIT = -1


@dataclass(frozen=True)
class MaskedPrediction:
    """The cluster of every hidden frame; its metric is the accuracy on hidden frames.

    Targets are units, one cluster index per frame, which `finetune` makes by clustering MFCCs or the features of an
    encoder's layer.

    Source: HuBERT, Hsu et al. 2021, arXiv 2106.07447.
    """

    name: str = "hubert"
    needs: str = "units"
    metrics: tuple[Metric, ...] = (Metric("unit_acc", "unit acc", "%", "higher"),)
    is_trained: Literal[True] = True
    is_pooled: bool = False
    is_closed_set: bool = False
    probe_steps: int = 2_000
    probe_learning_rates: tuple[float, ...] = (1e-3,)

    def normalise(self, target: str) -> str:
        """Returns the units separated by single blanks."""
        return " ".join(target.split())

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns every unit up to the highest that occurs."""
        highest = max((int(unit) for target in targets for unit in target.split()), default=-1)
        return unit_vocabulary(highest + 1)

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns one index per frame."""
        index = vocabulary.index
        return [index[unit] for unit in target.split()]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns 1: whatever frames there are have units."""
        del target
        return 1

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> None:
        """Returns None: units are made, not read."""
        del target, vocabulary

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns HuBERT's: a projection, and the cosine to an embedding of each unit."""
        return UnitHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return UnitHead(width, classes)

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the mean cross entropy over all frames that have a unit, for logits (B, T, C)."""
        del frame_counts, vocabulary
        units = pad_units(targets, frames=logits.shape[1]).to(logits.device)
        return F.cross_entropy(logits.float().flatten(0, 1), units.flatten(), ignore_index=NO_UNIT)

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the most likely unit of each frame, separated by blanks."""
        best = logits.argmax(dim=-1).tolist()  # (B, T, C) -> (B, T)
        return [
            " ".join(vocabulary.symbols[index] for index in path[:count])
            for path, count in zip(best, frame_counts.tolist(), strict=True)
        ]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns unit_acc [%], over the frames of all utterances together."""
        pairs = [
            pair
            for prediction, reference in zip(predictions, references, strict=True)
            for pair in zip(prediction.split(), reference.split(), strict=False)
        ]
        return {"unit_acc": accuracy([unit for unit, _ in pairs], [unit for _, unit in pairs])}


class UnitHead(nn.Module):
    """Linear → cosine to each unit's embedding, divided by a temperature.

    Source: HuBERT, equation 3; projection 256 and temperature 0.1 as in its published configuration.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.temperature = 0.1
        self.project = nn.Linear(width, min(256, width))
        self.embeddings = nn.Parameter(torch.randn(classes, min(256, width)))

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns logits (B, T, C) for features (B, T, D); frames past an utterance's own are meaningless."""
        del frame_counts
        projected = F.normalize(self.project(features).float(), dim=-1)
        logits: Tensor = projected @ F.normalize(self.embeddings, dim=-1).T / self.temperature
        return logits


def unit_vocabulary(clusters: int) -> Vocabulary:
    """Returns the names of `clusters` units: their numbers."""
    return Vocabulary(tuple(map(str, range(clusters))))


def pad_units(targets: Sequence[Sequence[int]], *, frames: int) -> Tensor:
    """Returns units as (B, T), cut to T frames; frames without a unit hold NO_UNIT."""
    units = torch.full((len(targets), frames), NO_UNIT)
    for row, target in enumerate(targets):
        own = torch.as_tensor(target[:frames])
        units[row, : len(own)] = own
    return units


HUBERT = MaskedPrediction()
