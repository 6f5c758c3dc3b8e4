"""What a task is. Tasks are pure: no files, no global state."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

#: Stands between the values of several manifest fields in one target; see `Task.needs`.
FIELD_SEPARATOR = "\t"


@dataclass(frozen=True)
class Metric:
    """A figure that a task is scored by.

    Attributes:
        name: Key in scores.jsonl, for example `wer`.
        title: Column heading, for example `WER`.
        unit: For example `%`.
        better: Which direction is better.
    """

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]

    def is_better(self, value: float, other: float) -> bool:
        """Whether `value` is strictly better than `other`."""
        return value > other if self.better == "higher" else value < other

    def format(self, value: float) -> str:
        """Returns for example `12.34 %`."""
        return f"{value:.2f} {self.unit}"


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a task, by their index; with CTC index 0 is the blank."""

    symbols: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.symbols)

    @functools.cached_property
    def index(self) -> Mapping[str, int]:
        """Symbol → index."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}


class Task(Protocol):
    """A task. Targets are strings: a transcript, a phoneme sequence, a class name, several of these."""

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        ...

    @property
    def needs(self) -> str:
        """The manifest field that holds its target: `text`, `phones`, `speaker`, or the name of a label.

        Several fields are joined by `+`; the target is then their values joined by `FIELD_SEPARATOR`. `id` is the
        utterance's own name, `duration` its length [s]; a field with `?` after its name may be missing, then it is
        empty.
        """
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it is scored by; the first selects checkpoints and probes."""
        ...

    @property
    def is_trained(self) -> Literal[True]:
        """That it has a head to train; the other kind of task, `QueryByExample`, only compares features."""
        ...

    @property
    def is_pooled(self) -> bool:
        """Whether the head is linear in mean-pooled features, so that one vector per layer and utterance is enough."""
        ...

    @property
    def is_closed_set(self) -> bool:
        """Whether every class of dev and test must occur in train, as speakers must for identification."""
        ...

    @property
    def probe_steps(self) -> int:
        """Optimizer updates of a probe, unless the config says otherwise."""
        ...

    @property
    def probe_learning_rates(self) -> tuple[float, ...]:
        """Learning rates a probe tries, unless the config says otherwise."""
        ...

    def normalise(self, target: str) -> str:
        """Returns the target as it is trained on and scored."""
        ...

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns the classes, from the normalised targets of the train split."""
        ...

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns the class indices of a normalised target.

        Raises:
            KeyError: Something in it is not in the vocabulary; the argument is the symbol.
        """
        ...

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns how many frames an utterance must have for a loss on this target."""
        ...

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> int | None:
        """Returns a bound on the frames that a target, not normalised, needs, found at a glance.

        Millions of targets are checked before the first update: only where the bound is not enough, or None, they are
        normalised and encoded. With a bound the target must be one that can be encoded, and not empty.
        """
        ...

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns the head for fine-tuning: `head(features (B, T, D), frame_counts (B,)) -> logits`.

        Logits are (B, T, C) for sequence tasks and (B, C) for utterance tasks.
        """
        ...

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the head for probing, with the same interface as `head`."""
        ...

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the mean loss of the batch, a scalar."""
        ...

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the predicted target of each utterance."""
        ...

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns metric name → value over a whole split."""
        ...


@runtime_checkable
class ChecksReferences(Protocol):
    """A task that can't score whatever references come: trials need pairs of both kinds."""

    def check_references(self, references: Sequence[str]) -> str:
        """Looks at the references of a whole split before anything is trained.

        Returns:
            What of them is not scored, in words; "" when all is.

        Raises:
            RequestError: No score can come of them, whatever is predicted.
        """
        ...
