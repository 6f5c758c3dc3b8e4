"""Tasks whose target is a sequence of symbols shorter than the frames, trained with CTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from speechft_cli.tasks import ctc
from speechft_cli.tasks.base import Metric, Vocabulary

#: (predictions, references) → a figure over the whole split.
Measure = Callable[[Sequence[str], Sequence[str]], float]
#: (target, vocabulary) → at least as many symbols as it has, or None.
Glance = Callable[[str, Vocabulary], int | None]
#: (width of the features, number of classes) → a head.
MakeHead = Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class Transcription:
    """A sequence of symbols, trained with CTC and read off the best path.

    Attributes:
        name: Its name in the catalogue.
        needs: The manifest field of its target; several joined by `+`.
        metrics: What it is scored by; the first selects checkpoints and probes.
        measures: How each metric is measured, in the same order.
        clean: Target → as it is trained on and scored; "" when nothing is left.
        symbols: Cleaned targets of the train split → the classes, the blank first.
        spell: Cleaned target → its symbols.
        read: Symbols of a best path → a target.
        glance: Target, vocabulary → at least as many symbols as it is spelt with, for most targets that can be; None
            for the others, or where only spelling tells.
        make_head: Makes the head for fine-tuning.
        make_probe: Makes the head for probing.
        probe_steps: Optimizer updates of a probe.
        probe_learning_rates: What a probe tries.
    """

    name: str
    needs: str
    metrics: tuple[Metric, ...]
    measures: tuple[Measure, ...]
    clean: Callable[[str], str]
    symbols: Callable[[Iterable[str]], tuple[str, ...]]
    spell: Callable[[str], list[str]]
    read: Callable[[Sequence[str]], str]
    make_head: MakeHead
    make_probe: MakeHead
    probe_learning_rates: tuple[float, ...]
    glance: Glance | None = None
    probe_steps: int = 2_000
    is_trained: Literal[True] = True
    is_pooled: bool = False
    is_closed_set: bool = False

    def normalise(self, target: str) -> str:
        """Returns the target as it is trained on and scored."""
        return self.clean(target)

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns the classes, the blank first."""
        return Vocabulary(self.symbols(targets))

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns one index per symbol."""
        index = vocabulary.index
        return [index[symbol] for symbol in self.spell(target)]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns the frames of CTC's shortest path."""
        return ctc.frames_needed(target)

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> int | None:
        """Returns a bound on the frames of CTC's shortest path, where one can be had without spelling."""
        most = None if self.glance is None else self.glance(target, vocabulary)
        return None if most is None else 2 * most  # a blank between all symbols

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns the head for fine-tuning."""
        return self.make_head(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the head for probing."""
        return self.make_probe(width, classes)

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the CTC loss."""
        del vocabulary
        return ctc.ctc_loss(logits, frame_counts, targets)

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns what the best paths say."""
        return [self.read([vocabulary.symbols[index] for index in path]) for path in ctc.greedy(logits, frame_counts)]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns metric name → value over a whole split."""
        return {
            metric.name: measure(predictions, references)
            for metric, measure in zip(self.metrics, self.measures, strict=True)
        }
