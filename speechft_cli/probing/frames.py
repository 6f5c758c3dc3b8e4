"""Probes of sequence tasks: trained on the hidden states of every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechft_cli.errors import RequestError
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

#: (logits, frame counts, vocabulary) → what each utterance is taken for; see `Task.predict`.
Predict = Callable[[Tensor, Tensor, Vocabulary], list[str]]

#: Utterances scored at once.
_SCORING_BATCH = 16
#: Batches whose utterances are sorted by length together: little padding, and still other batches in each epoch.
_BUCKET = 8


@dataclass(frozen=True)
class FrameExamples:
    """One split of a sequence task.

    Attributes:
        features: Rows → hidden states (L + 1, T_i, D) of these utterances; may compute them when asked.
        lengths: Any measure of each utterance's length, to batch alike with alike.
        targets: Normalised targets.
    """

    features: Callable[[Sequence[int]], Sequence[Tensor]]
    lengths: Sequence[float]
    targets: Sequence[str]


def train_frame_probes(
    task: Task,
    train: FrameExamples,
    dev: FrameExamples,
    *,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    steps: int,
    batch_size: int,
    evaluations: int,
    device: torch.device,
    advance: Advance,
) -> dict[float, list[Trained]]:
    """Trains a probe per learning rate and seed side by side, and keeps of each the best by dev.

    All probes hear the same batch at the same time, so that features which do not fit into memory are made once for
    all of them. A seed decides a probe's first weights, its dropout and its masks; the order of the batches is the
    first seed's. Each probe is what it would be alone.

    Args:
        task: A sequence task.
        train: What the probes learn.
        dev: What decides which update of a probe is kept.
        learning_rates: Of Adam.
        seeds: Of the probes.
        steps: Optimizer updates of each probe.
        batch_size: Utterances per update.
        evaluations: How often dev is scored.
        device: Where to train.
        advance: Told the updates done.

    Returns:
        Learning rate → the probes of the seeds.

    Raises:
        RequestError: No training target lies within the vocabulary.
    """
    vocabulary = task.vocabulary(train.targets)
    targets = encode_known(task, train.targets, vocabulary)
    # a target with a symbol that no class stands for can't be learnt, only counted as an error
    learnable = [row for row, target in enumerate(targets) if target is not None]
    if not learnable:
        raise RequestError(f"task {task.name}: must have training targets within its vocabulary, has none")
    dev_targets = encode_known(task, dev.targets, vocabulary)
    lengths = [train.lengths[row] for row in learnable]
    layers, _, width = train.features([0])[0].shape
    probes = [
        _Training(lambda: Probe(task.probe(width, len(vocabulary)), layers), rate, seed, device)
        for rate in learning_rates
        for seed in seeds
    ]
    to_score = evaluation_steps(steps, evaluations)
    for step, places in zip(range(1, steps + 1), _batches(lengths, seed=seeds[0], batch_size=batch_size), strict=False):
        batch = [learnable[place] for place in places]
        hidden_states, counts = _collate(train.features(batch), device)
        truth = [targets[row] or [] for row in batch]
        for each in probes:
            each.update(task, hidden_states, counts, truth, vocabulary)
        if step in to_score:
            heard = _hear(task, [each.probe for each in probes], dev, dev_targets, vocabulary, device)
            for each, (predictions, loss) in zip(probes, heard, strict=True):
                scores = task.score(predictions, dev.targets)
                if is_improvement(task, scores, loss, each.best):
                    weights = {name: value.clone() for name, value in each.probe.state_dict().items()}
                    each.best = Trained(step, scores, loss, weights)
        advance(step)
    best = [each.best for each in probes if each.best is not None]
    return {rate: best[turn * len(seeds) : (turn + 1) * len(seeds)] for turn, rate in enumerate(learning_rates)}


def predict_frames(
    task: Task,
    weights: Sequence[Mapping[str, Tensor]],
    examples: FrameExamples,
    vocabulary: Vocabulary,
    *,
    device: torch.device,
    predict: Predict | None = None,
) -> list[list[str]]:
    """Returns what each of several trained probes predicts for every utterance.

    Args:
        task: The probes' task.
        weights: Of each probe.
        examples: What to predict; only its features are looked at.
        vocabulary: Of the train split.
        device: Where to compute.
        predict: How logits are read; as the task does by default.
    """
    layers, _, width = examples.features([0])[0].shape
    probes = []
    for each in weights:
        probe = Probe(task.probe(width, len(vocabulary)), layers).to(device)
        probe.load_state_dict(dict(each))
        probes.append(probe)
    unknown = [None] * len(examples.lengths)
    return [
        predictions for predictions, _ in _hear(task, probes, examples, unknown, vocabulary, device, predict=predict)
    ]


class _Training:
    """A probe under way: its weights, its optimizer, what it draws, and the best it has been on dev."""

    def __init__(self, make: Callable[[], Probe], learning_rate: float, seed: int, device: torch.device) -> None:
        self._randomness = Randomness(seed, device)
        with self._randomness():
            self.probe = make().to(device)
        self._adam = torch.optim.Adam(self.probe.parameters(), lr=learning_rate)
        self.best: Trained | None = None

    def update(
        self,
        task: Task,
        hidden_states: Tensor,
        frame_counts: Tensor,
        targets: Sequence[Sequence[int]],
        vocabulary: Vocabulary,
    ) -> None:
        """Makes one optimizer update."""
        with self._randomness():
            logits = self.probe.train()(hidden_states, frame_counts)
            loss = task.loss(logits, frame_counts, targets, vocabulary)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.probe.parameters(), GRADIENT_CLIP)
        self._adam.step()


def _batches(lengths: Sequence[float], *, seed: int, batch_size: int) -> Iterator[list[int]]:
    """Yields batches of rows without end, every row once per epoch, rows of similar length together."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randperm(len(lengths), generator=generator).tolist()
        batches = []
        for start in range(0, len(rows), batch_size * _BUCKET):
            bucket = sorted(rows[start : start + batch_size * _BUCKET], key=lambda row: lengths[row])
            batches += [bucket[first : first + batch_size] for first in range(0, len(bucket), batch_size)]
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[number]


def _collate(features: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Pads hidden states with zeros: B x (L + 1, T_i, D) -> (B, L + 1, T, D), and the frame counts (B,)."""
    counts = torch.tensor([each.shape[1] for each in features])
    layers, _, width = features[0].shape
    padded = features[0].new_zeros(len(features), layers, int(counts.max()), width)
    for row, each in zip(padded, features, strict=True):
        row[:, : each.shape[1]] = each
    return padded.to(device), counts.to(device)


@torch.no_grad()
def _hear(
    task: Task,
    probes: Sequence[Probe],
    examples: FrameExamples,
    targets: Sequence[Sequence[int] | None],
    vocabulary: Vocabulary,
    device: torch.device,
    *,
    predict: Predict | None = None,
) -> list[tuple[list[str], float]]:
    """Returns per probe its predictions for a whole split, and its mean loss over the utterances with a target."""
    read = predict or task.predict
    predictions = [[""] * len(targets) for _ in probes]
    losses = [0.0] * len(probes)
    rows = sorted(range(len(targets)), key=lambda row: examples.lengths[row])
    for first in range(0, len(rows), _SCORING_BATCH):
        batch = rows[first : first + _SCORING_BATCH]
        hidden_states, counts = _collate(examples.features(batch), device)
        known = {place: target for place, row in enumerate(batch) if (target := targets[row]) is not None}
        places = list(known)
        for turn, probe in enumerate(probes):
            logits = probe.eval()(hidden_states, counts)
            for row, prediction in zip(batch, read(logits, counts, vocabulary), strict=True):
                predictions[turn][row] = prediction
            if known:
                losses[turn] += len(known) * float(
                    task.loss(logits[places], counts[places], list(known.values()), vocabulary)
                )
    count = sum(target is not None for target in targets)
    means = [loss / count if count else float("nan") for loss in losses]
    return list(zip(predictions, means, strict=True))
