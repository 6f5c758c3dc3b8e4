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
        # one row of weights against each utterance's layers, read where they lie: einsum would copy them for each probe
        rows = weights.expand(len(hidden_states), 1, -1)  # (B, 1, L + 1)
        mixed = torch.bmm(rows, hidden_states.flatten(2))  # (B, 1, T D)
        features = mixed.view(len(hidden_states), *hidden_states.shape[2:])
        logits: Tensor = self.head(features, frame_counts)
        return logits


@dataclass(frozen=True)
class Trained:
    """One probe of one learning rate and seed: the best it was on dev, by the first metric, of equals by the loss.

    Without the loss a small dev set would choose the first update that happens to reach a score, hardly trained.

    Attributes:
        step: Optimizer updates it was trained for.
        dev: Metric name → value.
        loss: Mean loss on dev.
        weights: A copy of its state.
    """

    step: int
    dev: Mapping[str, float]
    loss: float
    weights: Mapping[str, Tensor]


def is_improvement(task: Task, dev: Mapping[str, float], loss: float, best: Trained | None) -> bool:
    """Whether dev scores and loss are strictly better than those of the best so far."""
    if best is None:
        return True
    metric = task.metrics[0]
    value, other = dev[metric.name], best.dev[metric.name]
    return metric.is_better(value, other) or (value == other and loss < best.loss)


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


def probe_seeds(seed: int, task: str, count: int) -> tuple[int, ...]:
    """Returns the seeds of a task's probes: the same for every encoder, so that equal encoders score equally."""
    texts = [f"{seed} {task}", *(f"{seed} {task} {number}" for number in range(1, count))]
    return tuple(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) for text in texts)


class Randomness:
    """A stream of torch's randomness of its own: what a probe draws does not depend on what others draw."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        with self._forked():
            torch.manual_seed(seed)
            self._states = self._read()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside the block torch draws from this stream, from where it was; after it from where it was before."""
        with self._forked():
            torch.set_rng_state(self._states[0])
            if self._cuda is not None:
                torch.cuda.set_rng_state(self._states[1], self._cuda)
            yield
            self._states = self._read()

    def _forked(self) -> contextlib.AbstractContextManager[None]:
        return torch.random.fork_rng(devices=[] if self._cuda is None else [self._cuda])

    def _read(self) -> list[Tensor]:
        cuda = [] if self._cuda is None else [torch.cuda.get_rng_state(self._cuda)]
        return [torch.get_rng_state(), *cuda]
