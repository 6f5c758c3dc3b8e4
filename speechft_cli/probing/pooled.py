"""Probes of utterance tasks: linear in mean-pooled features, so all of them train at once as one problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from speechft_cli.probing.drawing import batches, even_batches, even_rows
from speechft_cli.probing.probe import (
    GRADIENT_CLIP,
    Advance,
    Probe,
    Randomness,
    Trained,
    encode_known,
    evaluation_steps,
    is_improvement,
)
from speechft_cli.tasks.base import Task, Vocabulary

#: Utterances scored at once.
_SCORING_BATCH = 1024

#: Parameter name → the values of all probes, (R, G, ...): R learning rates, G pairs of encoder and seed.
Stack = Mapping[str, Tensor]


@dataclass(frozen=True)
class PooledExamples:
    """One split of an utterance task, as several encoders hear it.

    Attributes:
        features: Mean over frames of every hidden state (E, U, L + 1, D), on the CPU.
        targets: Normalised targets of the U utterances.
    """

    features: Tensor
    targets: Sequence[str]

    def of(self, encoders: Sequence[int]) -> PooledExamples:
        """Returns the same split as some of the encoders hear it."""
        return self if len(encoders) == len(self.features) else replace(self, features=self.features[list(encoders)])


def train_pooled_probes(
    task: Task,
    train: PooledExamples,
    dev: PooledExamples,
    *,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    batch_size: int,
    evaluations: int,
    is_balanced: bool = False,
    device: torch.device,
    advance: Advance,
) -> list[dict[float, list[Trained]]]:
    """Trains a probe per encoder, learning rate and seed, and keeps of each the best by dev.

    A seed decides a probe's first weights and the order of its batches. Probes don't touch each other, so each is
    what it would be alone: gradients are clipped probe by probe, and Adam works element by element.

    Args:
        task: An utterance task, whose loss is a mean over utterances.
        train: What the probes learn.
        dev: What decides which update of a probe is kept.
        learning_rates: Of Adam.
        seeds: Of the probes.
        steps: Optimizer updates of each probe.
        batch_size: Utterances per update.
        evaluations: How often dev is scored.
        is_balanced: Whether updates draw every class as often as any other, with replacement, and each counts as much
            on dev.
        device: Where to train.
        advance: Told the updates done.

    Returns:
        Per encoder: learning rate → the probes of the seeds.
    """
    vocabulary = task.vocabulary(train.targets)
    targets = [task.encode(target, vocabulary) for target in train.targets]
    dev_targets = encode_known(task, dev.targets, vocabulary)
    dev_rows = even_rows(dev.targets) if is_balanced else range(len(dev.targets))
    encoders, count, layers, width = train.features.shape
    groups = [(encoder, seed) for encoder in range(encoders) for seed in range(len(seeds))]
    probe, stack = _first_weights(
        lambda: Probe(task.probe(width, len(vocabulary)), layers),
        copies=(len(learning_rates), encoders),
        seeds=seeds,
        device=device,
    )
    optimizer = _Adam(stack, learning_rates)
    features = train.features.to(device)
    heard = torch.tensor([encoder for encoder, _ in groups], device=device)[:, None]  # (G, 1)
    orders = [
        even_batches(train.targets, seed, batch_size) if is_balanced else batches(count, seed, batch_size)
        for seed in seeds
    ]
    best: list[list[Trained | None]] = [[None] * len(groups) for _ in learning_rates]
    to_score = evaluation_steps(steps, evaluations)
    for step in range(1, steps + 1):
        rows = [next(order) for order in orders]  # one batch per seed, all of the same size
        batch = torch.stack([rows[seed] for _, seed in groups])  # (G, B)
        logits = _logits(probe, stack, features[heard, batch.to(device)])  # (R, G, B, C)
        repeated = [targets[row] for row in batch.flatten().tolist()] * len(learning_rates)
        # the mean over all probes' batches, times their number, is the sum of each probe's mean
        optimizer.step(_loss(task, logits.flatten(0, 2), repeated, vocabulary) * (len(groups) * len(learning_rates)))
        if step in to_score:
            for place, (encoder, _) in enumerate(groups):
                one = {name: value.detach()[:, place : place + 1] for name, value in stack.items()}
                for turn, scored in enumerate(_logits_of(probe, one, dev.features[[encoder]])[:, 0]):
                    scores = _score(task, scored, dev.targets, dev_rows, vocabulary)
                    loss = _known_loss(task, scored, dev_targets, dev_rows, vocabulary)
                    if is_improvement(task, scores, loss, best[turn][place]):
                        weights = {name: value[turn, 0].clone() for name, value in one.items()}
                        best[turn][place] = Trained(step, scores, loss, weights)
        advance(step)
    return [
        {
            rate: [each for each in best[turn][first : first + len(seeds)] if each is not None]
            for turn, rate in enumerate(learning_rates)
        }
        for first in range(0, len(groups), len(seeds))
    ]


def predict_pooled(
    task: Task, weights: Mapping[str, Tensor], features: Tensor, vocabulary: Vocabulary, *, device: torch.device
) -> list[str]:
    """Returns what a trained probe predicts for every utterance.

    Args:
        task: The probe's task.
        weights: The probe's.
        features: (U, L + 1, D).
        vocabulary: Of the train split.
        device: Where to compute.
    """
    _, layers, width = features.shape
    probe = Probe(task.probe(width, len(vocabulary)), layers).to(device)
    logits = _logits_of(probe, {name: value[None, None] for name, value in weights.items()}, features[None])[0, 0]
    return task.predict(logits, _one_frame(len(logits), logits.device), vocabulary)


class _Adam:
    """torch's Adam over stacked probes: a learning rate per row of the stack, the gradient clipped probe by probe."""

    def __init__(self, stack: Stack, learning_rates: Sequence[float]) -> None:
        self._stack = stack
        # views of the stack's memory, one per learning rate: to torch they are parameters of their own
        self._rows = [
            [nn.Parameter(value.detach()[turn]) for value in stack.values()] for turn in range(len(learning_rates))
        ]
        self._adam = torch.optim.Adam(
            [{"params": row, "lr": rate} for row, rate in zip(self._rows, learning_rates, strict=True)], fused=True
        )

    def step(self, loss: Tensor) -> None:
        """Makes one update with the gradients of `loss`, the sum of all probes' losses."""
        # the fused Adam takes gradients to lie in memory as their parameters do, and those of vmap need not
        gradients = [each.contiguous() for each in torch.autograd.grad(loss, list(self._stack.values()))]
        norms = torch.stack([each.flatten(2).norm(dim=2) for each in gradients]).norm(dim=0)  # (R, G)
        shares = (GRADIENT_CLIP / (norms + 1e-6)).clamp(max=1.0)  # as torch's clip_grad_norm_
        for place, gradient in enumerate(gradients):
            gradient.mul_(shares.reshape(*shares.shape, *[1] * (gradient.dim() - 2)))
            for turn, row in enumerate(self._rows):
                row[place].grad = gradient[turn]
        self._adam.step()


def _first_weights(
    make: Callable[[], Probe], *, copies: tuple[int, int], seeds: Sequence[int], device: torch.device
) -> tuple[Probe, dict[str, Tensor]]:
    """Returns a probe for its structure, and the first weights of one per seed, copied R · E times: (R, E · S, ...)."""
    rates, encoders = copies
    probes = []
    for seed in seeds:
        with Randomness(seed, device)():
            probes.append(make())
    stack = {}
    for name, _ in probes[0].named_parameters():
        values = torch.stack([probe.get_parameter(name).detach() for probe in probes])  # (S, ...)
        repeated = values.repeat(rates, encoders, *[1] * (values.dim() - 1))  # (R, E · S, ...)
        stack[name] = repeated.to(device).requires_grad_()
    return probes[0].to(device), stack


def _logits(probe: Probe, stack: Stack, features: Tensor) -> Tensor:
    """Returns the logits of all probes: those of one group hear the same (G, B, L + 1, D) -> (R, G, B, C)."""
    counts = _one_frame(features.shape[1], features.device)
    # what Probe.forward does, for all learning rates at once where their features lie: vmap would copy the features
    weights = torch.softmax(stack["layer_weights"], dim=-1).transpose(0, 1)  # (R, G, L + 1) -> (G, R, L + 1)
    mixed = torch.matmul(weights[:, None], features).permute(2, 0, 1, 3)  # (G, B, R, D) -> (R, G, B, D)
    heads = {name.removeprefix("head."): value for name, value in stack.items() if name != "layer_weights"}

    def of_one(weights: dict[str, Tensor], heard: Tensor) -> Tensor:
        # the mean is an utterance of one frame: (B, D) -> (B, 1, D)
        logits: Tensor = functional_call(probe.head, weights, (heard[:, None], counts))
        return logits

    logits: Tensor = vmap(vmap(of_one))(heads, mixed)
    return logits


@torch.no_grad()
def _logits_of(probe: Probe, stack: Stack, features: Tensor) -> Tensor:
    """Returns the logits for a whole split: (G, U, L + 1, D) on any device -> (R, G, U, C)."""
    device = next(iter(stack.values())).device
    return torch.cat(
        [_logits(probe, stack, part.to(device)) for part in torch.split(features, _SCORING_BATCH, dim=1)], dim=2
    )


def _one_frame(count: int, device: torch.device) -> Tensor:
    return torch.ones(count, dtype=torch.long, device=device)


def _score(
    task: Task, logits: Tensor, targets: Sequence[str], rows: Sequence[int], vocabulary: Vocabulary
) -> Mapping[str, float]:
    """Returns one probe's scores over rows of a split, from its logits for all of it (U, C)."""
    predictions = task.predict(logits, _one_frame(len(logits), logits.device), vocabulary)
    return task.score([predictions[row] for row in rows], [targets[row] for row in rows])


def _loss(task: Task, logits: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary) -> Tensor:
    return task.loss(logits, _one_frame(len(logits), logits.device), targets, vocabulary)


def _known_loss(
    task: Task, logits: Tensor, targets: Sequence[Sequence[int] | None], rows: Sequence[int], vocabulary: Vocabulary
) -> float:
    """Returns one probe's mean loss over those of the rows with a known class; nan when there are none."""
    known = [(row, target) for row in rows if (target := targets[row]) is not None]
    if not known:
        return float("nan")
    return float(_loss(task, logits[[row for row, _ in known]], [target for _, target in known], vocabulary))
