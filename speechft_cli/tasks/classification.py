"""Classification of whole utterances: one class of one set, or one of each of several sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechft_cli.tasks.base import FIELD_SEPARATOR, Metric, Vocabulary
from speechft_cli.tasks.heads import PooledHead
from speechft_cli.tasks.metrics import accuracy


@dataclass(frozen=True)
class Classification:
    """Classes of an utterance; its metric is the share of utterances that are right in every slot.

    Attributes:
        name: Its name in the catalogue.
        needs: The manifest field of each slot, joined by `+`: `speaker` is one slot, `action+object+location` three.
        metrics: Only accuracy.
        is_closed_set: Whether every class of dev and test must occur in train.
        is_trained: It has a head.
        is_pooled: Its head is linear in mean-pooled features.
        probe_steps: Optimizer updates of a probe.
        probe_learning_rates: What a probe tries.
    """

    name: str
    needs: str
    metrics: tuple[Metric, ...]
    is_closed_set: bool = False
    is_trained: Literal[True] = True
    is_pooled: bool = True
    probe_steps: int = 1_000
    probe_learning_rates: tuple[float, ...] = (1e-1, 1e-2, 1e-3)

    def normalise(self, target: str) -> str:
        """Returns the classes as they are, without blanks around them; nothing when a slot is empty."""
        values = [value.strip() for value in target.split(FIELD_SEPARATOR)]
        return FIELD_SEPARATOR.join(values) if all(values) else ""

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns every class of the train split, slot after slot, sorted within each."""
        slots: list[set[str]] = [set() for _ in self._slots]
        for target in set(targets):  # few of many are different
            for slot, value in zip(slots, target.split(FIELD_SEPARATOR), strict=False):
                slot.add(value)
        return Vocabulary(
            tuple(self._symbol(place, value) for place, values in enumerate(slots) for value in sorted(values))
        )

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns one index per slot."""
        index = vocabulary.index
        values = target.split(FIELD_SEPARATOR)
        return [index[self._symbol(place, value)] for place, value in enumerate(values)]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns 1: any utterance will do."""
        del target
        return 1

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> None:
        """Returns None: each of the few classes is looked at once."""
        del target, vocabulary

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns SUPERB's head: projection 256, mean over frames, one linear layer for all slots together."""
        return PooledHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return PooledHead(width, classes)

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the mean over utterances of the cross entropies for logits (B, C), summed over slots."""
        del frame_counts
        truth = torch.tensor(targets, device=logits.device)  # (B, slots)
        losses = [
            F.cross_entropy(logits[:, classes].float(), truth[:, place] - classes.start)
            for place, classes in enumerate(self._ranges(vocabulary))
        ]
        return torch.stack(losses).sum()

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the most likely class of every slot."""
        del frame_counts
        slots = [
            [
                self._value(place, vocabulary.symbols[classes.start + best])
                for best in logits[:, classes].argmax(-1).tolist()
            ]
            for place, classes in enumerate(self._ranges(vocabulary))
        ]
        return [FIELD_SEPARATOR.join(values) for values in zip(*slots, strict=True)]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns the accuracy [%]; an utterance counts when every slot is right."""
        return {self.metrics[0].name: accuracy(predictions, references)}

    @property
    def _slots(self) -> list[str]:
        return self.needs.split("+")

    def _symbol(self, place: int, value: str) -> str:
        # slots may share words: the object "none" is another class than the location "none"
        return value if len(self._slots) == 1 else f"{self._slots[place]}={value}"

    def _value(self, place: int, symbol: str) -> str:
        return symbol if len(self._slots) == 1 else symbol.removeprefix(f"{self._slots[place]}=")

    def _ranges(self, vocabulary: Vocabulary) -> list[slice]:
        """Returns where in the vocabulary each slot's classes lie."""
        if len(self._slots) == 1:
            return [slice(0, len(vocabulary))]
        ranges, start = [], 0
        for slot in self._slots:
            end = start + sum(symbol.startswith(f"{slot}=") for symbol in vocabulary.symbols[start:])
            ranges.append(slice(start, end))
            start = end
        return ranges
