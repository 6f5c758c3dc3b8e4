"""Probes of utterance tasks: linear in mean-pooled features, so all learning rates train at once as one problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from speechft_cli.probing.probe import (
    GRADIENT_CLIP,
    Advance,
    Chosen,
    Probe,
    ProbeOutcome,
    encode_known,
    evaluation_steps,
    is_improvement,
    seeded,
)
from speechft_cli.tasks.base import Task, Vocabulary

#: Utterances per update, SUPERB's effective batch.
BATCH_SIZE = 32
#: How often dev is scored.
EVALUATIONS = 20
#: Utterances scored at once.
_SCORING_BATCH = 1024


@dataclass(frozen=True)
class PooledExamples:
    """One split of an utterance task.

    Attributes:
        features: Mean over frames of every hidden state (U, L + 1, D), in the order of `targets`.
        targets: Normalised targets.
    """

    features: Tensor
    targets: Sequence[str]


def train_pooled_probes(
    task: Task,
    splits: Mapping[str, PooledExamples],
    *,
    learning_rates: Sequence[float],
    steps: int,
    seed: int,
    device: torch.device,
    advance: Advance,
) -> ProbeOutcome:
    """Trains a probe per learning rate, keeps the best (learning rate, update) by dev, scores that one on test.

    Every probe starts from the same weights and sees the same batches, so each is what it would be alone.

    Args:
        task: An utterance task.
        splits: train, dev and test.
        learning_rates: Of Adam, one probe each.
        steps: Optimizer updates of each probe.
        seed: Of the head's weights and the order of the batches.
        device: Where to train.
        advance: Told the updates done.
    """
    train = splits["train"]
    vocabulary = task.vocabulary(train.targets)
    targets = [task.encode(target, vocabulary) for target in train.targets]
    dev = splits["dev"]
    dev_targets = encode_known(task, dev.targets, vocabulary)
    features = train.features.to(device)
    _, layer_count, width = features.shape
    probes = []
    for _ in learning_rates:
        with seeded(seed, device):
            probes.append(Probe(task.probe(width, len(vocabulary)), layer_count).to(device))
    # one parameter group per probe: Adam works element by element, so the probes don't touch each other
    optimizer = torch.optim.Adam(
        [{"params": list(probe.parameters()), "lr": rate} for probe, rate in zip(probes, learning_rates, strict=True)]
    )
    order = torch.Generator().manual_seed(seed)
    to_score = evaluation_steps(steps, EVALUATIONS)
    chosen: Chosen | None = None
    rows = torch.empty(0, dtype=torch.long)
    for step in range(1, steps + 1):
        if len(rows) == 0:
            rows = torch.randperm(len(targets), generator=order)
        batch, rows = rows[:BATCH_SIZE], rows[BATCH_SIZE:]
        logits = _logits(probes, features[batch.to(device)])
        counts = _one_frame(len(batch), device)
        truth = [targets[row] for row in batch.tolist()]
        loss = torch.stack([task.loss(each, counts, truth, vocabulary) for each in logits]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for probe in probes:
            nn.utils.clip_grad_norm_(probe.parameters(), GRADIENT_CLIP)
        optimizer.step()
        if step in to_score:
            for probe, rate, logits in zip(probes, learning_rates, _logits_of(probes, dev, device), strict=True):
                scores = _score(task, logits, dev.targets, vocabulary)
                dev_loss = _loss(task, logits, dev_targets, vocabulary)
                if is_improvement(task, scores, dev_loss, chosen):
                    weights = {name: value.clone() for name, value in probe.state_dict().items()}
                    chosen = Chosen(rate, step, scores, dev_loss, weights)
        advance(step)
    assert chosen is not None
    probes[0].load_state_dict(dict(chosen.weights))
    (logits,) = _logits_of(probes[:1], splits["test"], device)
    test = _score(task, logits, splits["test"].targets, vocabulary)
    return ProbeOutcome(chosen.learning_rate, chosen.step, chosen.dev, test)


def _logits(probes: Sequence[Probe], features: Tensor) -> Tensor:
    """Returns the logits of all probes for the same utterances: (B, L + 1, D) -> (K, B, C)."""
    parameters = [dict(probe.named_parameters()) for probe in probes]
    stacked = {name: torch.stack([each[name] for each in parameters]) for name in parameters[0]}
    hidden_states = features[:, :, None]  # the mean is an utterance of one frame: (B, L + 1, 1, D)
    counts = _one_frame(len(features), features.device)

    def logits_of_one(weights: dict[str, Tensor]) -> Tensor:
        logits: Tensor = functional_call(probes[0], weights, (hidden_states, counts))
        return logits

    logits: Tensor = vmap(logits_of_one)(stacked)
    return logits


def _one_frame(count: int, device: torch.device) -> Tensor:
    return torch.ones(count, dtype=torch.long, device=device)


@torch.no_grad()
def _logits_of(probes: Sequence[Probe], examples: PooledExamples, device: torch.device) -> Tensor:
    """Returns the logits of all probes for a whole split: (U, L + 1, D) -> (K, U, C)."""
    batches = torch.split(examples.features, _SCORING_BATCH)
    return torch.cat([_logits(probes, features.to(device)) for features in batches], dim=1)


def _score(task: Task, logits: Tensor, targets: Sequence[str], vocabulary: Vocabulary) -> Mapping[str, float]:
    """Returns one probe's scores over a whole split, from its logits (U, C)."""
    predictions = task.predict(logits, _one_frame(len(logits), logits.device), vocabulary)
    return task.score(predictions, targets)


def _loss(task: Task, logits: Tensor, targets: Sequence[Sequence[int] | None], vocabulary: Vocabulary) -> float:
    """Returns one probe's mean loss over the utterances with a known class; nan when there are none."""
    known = {row: target for row, target in enumerate(targets) if target is not None}
    if not known:
        return float("nan")
    counts = _one_frame(len(known), logits.device)
    return float(task.loss(logits[list(known)], counts, list(known.values()), vocabulary))
