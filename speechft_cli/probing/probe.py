"""What every probe is: a learnable mix of an encoder's layers, a task's head on top, and how it is chosen."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechft_cli.tasks.base import Task, Vocabulary

#: Largest gradient norm of a probe, SUPERB's.
GRADIENT_CLIP = 1.0

#: Told how many optimizer updates are done.
Advance = Callable[[int], None]


class Probe(nn.Module):
    """A softmax-weighted sum of all hidden states, then a task's probe head.

    The weights start equal and train with the head. Source: SUPERB, Yang et al. 2021, arXiv 2105.01051, section 3.
    """

    def __init__(self, head: nn.Module, layer_count: int) -> None:
        super().__init__()
        self.layer_weights = nn.Parameter(torch.zeros(layer_count))
        self.head = head

    def forward(self, hidden_states: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns the head's logits.

        Args:
            hidden_states: (B, L + 1, T, D); frames past an utterance's own may hold anything finite.
            frame_counts: (B,).
        """
        weights = torch.softmax(self.layer_weights, dim=0)
        features = torch.einsum("l,bltd->btd", weights, hidden_states)
        logits: Tensor = self.head(features, frame_counts)
        return logits


@dataclass(frozen=True)
class ProbeOutcome:
    """The best probe of one encoder on one task.

    Attributes:
        learning_rate: The one that was best on dev.
        step: Optimizer updates it was trained for.
        dev: Metric name → value.
        test: Metric name → value; measured once, after the choice.
    """

    learning_rate: float
    step: int
    dev: Mapping[str, float]
    test: Mapping[str, float]


@dataclass(frozen=True)
class Chosen:
    """The best probe so far, by the task's first metric on dev, of equals by the loss on dev.

    Without the loss a small dev set would choose the first probe that happens to reach a score, hardly trained.

    Attributes:
        learning_rate: Of its Adam.
        step: Optimizer updates it was trained for.
        dev: Metric name → value.
        loss: Mean loss on dev.
        weights: A copy of its state.
    """

    learning_rate: float
    step: int
    dev: Mapping[str, float]
    loss: float
    weights: Mapping[str, Tensor]


def is_improvement(task: Task, dev: Mapping[str, float], loss: float, chosen: Chosen | None) -> bool:
    """Whether dev scores and loss are strictly better than those of the probe chosen so far."""
    if chosen is None:
        return True
    metric = task.metrics[0]
    value, other = dev[metric.name], chosen.dev[metric.name]
    return metric.is_better(value, other) or (value == other and loss < chosen.loss)


def encode_known(task: Task, targets: Sequence[str], vocabulary: Vocabulary) -> list[list[int] | None]:
    """Returns the class indices of each target; None for one with something that train never had."""
    encoded: list[list[int] | None] = []
    for target in targets:
        try:
            encoded.append(task.encode(target, vocabulary))
        except KeyError:
            encoded.append(None)
    return encoded


def evaluation_steps(steps: int, times: int) -> frozenset[int]:
    """Returns after which of `steps` updates dev is scored: evenly spread, `times` times, always after the last."""
    return frozenset(max(1, round(steps * turn / times)) for turn in range(1, times + 1))


def task_seed(seed: int, task: str) -> int:
    """Returns the seed of a task's probes: the same for every encoder, so that equal encoders score equally."""
    return int.from_bytes(hashlib.sha256(f"{seed} {task}".encode()).digest()[:4])


@contextlib.contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside the block torch's randomness starts from `seed`; after it everything is as it was before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
