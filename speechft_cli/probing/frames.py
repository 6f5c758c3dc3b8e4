"""Probes of sequence tasks: trained on the hidden states of every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speechft_cli.errors import RequestError
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

#: Utterances per update.
BATCH_SIZE = 16
#: How often dev is scored.
EVALUATIONS = 8
#: Batches whose utterances are sorted by length together: little padding, and still other batches in each epoch.
_BUCKET = 8


@dataclass(frozen=True)
class FrameExamples:
    """One split of a sequence task.

    Attributes:
        features: Row → hidden states (L + 1, T, D) of that utterance; may compute them when asked.
        lengths: Any measure of each utterance's length, to batch alike with alike.
        targets: Normalised targets.
    """

    features: Callable[[int], Tensor]
    lengths: Sequence[float]
    targets: Sequence[str]


def train_frame_probes(
    task: Task,
    splits: Mapping[str, FrameExamples],
    *,
    learning_rates: Sequence[float],
    steps: int,
    seed: int,
    device: torch.device,
    advance: Advance,
) -> ProbeOutcome:
    """Trains a probe per learning rate, keeps the best (learning rate, update) by dev, scores that one on test.

    Args:
        task: A sequence task.
        splits: train, dev and test.
        learning_rates: Of Adam, one probe each.
        steps: Optimizer updates of each probe.
        seed: Of the head's weights, its dropout and masks, and the order of the batches.
        device: Where to train.
        advance: Told the updates done, over all learning rates.
    """
    train = splits["train"]
    vocabulary = task.vocabulary(train.targets)
    targets = encode_known(task, train.targets, vocabulary)
    # a target with a symbol that no class stands for can't be learnt, only counted as an error
    learnable = [row for row, target in enumerate(targets) if target is not None]
    if not learnable:
        raise RequestError(f"task {task.name}: must have training targets within its vocabulary, has none")
    lengths = [train.lengths[row] for row in learnable]
    layer_count, _, width = train.features(0).shape
    to_score = evaluation_steps(steps, EVALUATIONS)
    chosen: Chosen | None = None
    probe: Probe | None = None
    for turn, rate in enumerate(learning_rates):
        with seeded(seed, device):
            probe = Probe(task.probe(width, len(vocabulary)), layer_count).to(device)
            optimizer = torch.optim.Adam(probe.parameters(), lr=rate)
            for step, places in zip(range(1, steps + 1), _batches(lengths, seed=seed), strict=False):
                batch = [learnable[place] for place in places]
                hidden_states, counts = _collate([train.features(row) for row in batch], device)
                logits = probe.train()(hidden_states, counts)
                loss = task.loss(logits, counts, [targets[row] or [] for row in batch], vocabulary)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(probe.parameters(), GRADIENT_CLIP)
                optimizer.step()
                if step in to_score:
                    dev, dev_loss = _scores(task, probe, splits["dev"], vocabulary, device)
                    if is_improvement(task, dev, dev_loss, chosen):
                        weights = {name: value.clone() for name, value in probe.state_dict().items()}
                        chosen = Chosen(rate, step, dev, dev_loss, weights)
                advance(turn * steps + step)
    assert chosen is not None
    assert probe is not None
    probe.load_state_dict(dict(chosen.weights))
    test, _ = _scores(task, probe, splits["test"], vocabulary, device)
    return ProbeOutcome(chosen.learning_rate, chosen.step, chosen.dev, test)


def _batches(lengths: Sequence[float], *, seed: int) -> Iterator[list[int]]:
    """Yields batches of rows without end, every row once per epoch, rows of similar length together."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randperm(len(lengths), generator=generator).tolist()
        batches = []
        for start in range(0, len(rows), BATCH_SIZE * _BUCKET):
            bucket = sorted(rows[start : start + BATCH_SIZE * _BUCKET], key=lambda row: lengths[row])
            batches += [bucket[first : first + BATCH_SIZE] for first in range(0, len(bucket), BATCH_SIZE)]
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[number]


def _collate(features: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pads hidden states with zeros: B x (L + 1, T_i, D) -> (B, L + 1, T, D), and the frame counts (B,)."""
    frames_first = pad_sequence([each.transpose(0, 1) for each in features], batch_first=True)
    counts = torch.tensor([each.shape[1] for each in features])
    return frames_first.transpose(1, 2).to(device), counts.to(device)


@torch.no_grad()
def _scores(
    task: Task, probe: Probe, examples: FrameExamples, vocabulary: Vocabulary, device: torch.device
) -> tuple[Mapping[str, float], float]:
    """Returns the scores over a whole split, and the mean loss of the utterances with nothing unknown."""
    probe.eval()
    predictions = [""] * len(examples.targets)
    targets = encode_known(task, examples.targets, vocabulary)
    loss, count = 0.0, 0
    rows = sorted(range(len(predictions)), key=lambda row: examples.lengths[row])
    for first in range(0, len(rows), BATCH_SIZE):
        batch = rows[first : first + BATCH_SIZE]
        hidden_states, counts = _collate([examples.features(row) for row in batch], device)
        logits = probe(hidden_states, counts)
        for row, prediction in zip(batch, task.predict(logits, counts, vocabulary), strict=True):
            predictions[row] = prediction
        known = {place: target for place, row in enumerate(batch) if (target := targets[row]) is not None}
        if known:
            places = list(known)
            loss += len(known) * float(task.loss(logits[places], counts[places], list(known.values()), vocabulary))
            count += len(known)
    return task.score(predictions, examples.targets), loss / count if count else float("nan")
