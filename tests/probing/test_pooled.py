import random
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from speechft_cli.probing.pooled import PooledExamples, train_pooled_probes
from speechft_cli.probing.probe import Probe, ProbeOutcome
from speechft_cli.tasks.heads import mean_pool
from speechft_cli.tasks.sid import SID

CPU = torch.device("cpu")
SPEAKERS = ("ann", "bob", "eve", "kim")


def examples(count: int, *, seed: int, noise: float = 0.3) -> PooledExamples:
    """Speakers are directions in the second of three layers."""
    generator = torch.Generator().manual_seed(seed)
    targets = [SPEAKERS[number % len(SPEAKERS)] for number in range(count)]
    features = noise * torch.randn(count, 3, 8, generator=generator)
    for row, target in enumerate(targets):
        features[row, 1, SPEAKERS.index(target)] += 3.0
    return PooledExamples(features, targets)


def splits(**replaced: PooledExamples) -> dict[str, PooledExamples]:
    return {
        "train": examples(40, seed=0),
        "dev": examples(12, seed=1),
        "test": examples(16, seed=2),
        **replaced,
    }


def train(
    data: dict[str, PooledExamples], learning_rates: Sequence[float] = (1e-1, 1e-2, 1e-3), steps: int = 40
) -> ProbeOutcome:
    return train_pooled_probes(
        SID, data, learning_rates=learning_rates, steps=steps, seed=5, device=CPU, advance=lambda _: None
    )


def shuffled(data: PooledExamples) -> PooledExamples:
    targets = list(data.targets)
    random.Random(0).shuffle(targets)
    return PooledExamples(data.features, targets)


def test_pooled_features_give_the_logits_of_the_naive_head_on_frames() -> None:
    states: Tensor = torch.randn(2, 3, 9, 8)  # (B, L + 1, T, D)
    counts = torch.tensor([9, 6])
    probe = Probe(SID.probe(8, 4), 3)
    torch.nn.init.normal_(probe.layer_weights)
    weights = probe.layer_weights.softmax(dim=0)
    features = sum(weight * layer for weight, layer in zip(weights, states.unbind(dim=1), strict=True))
    assert isinstance(features, Tensor)
    projected = probe.head.project(features)  # type: ignore[operator, union-attr]
    naive = torch.stack(
        [probe.head.classify(each[:count].mean(dim=0)) for each, count in zip(projected, counts, strict=True)]  # type: ignore[operator, union-attr]
    )
    pooled = torch.stack([mean_pool(layer, counts) for layer in states.unbind(dim=1)], dim=1)  # (B, L + 1, D)
    logits = probe(pooled[:, :, None], torch.ones(2, dtype=torch.long))
    torch.testing.assert_close(logits, naive, rtol=0, atol=1e-5)


def test_separable_speakers_are_all_recognised() -> None:
    outcome = train(splits())
    assert outcome.test == {"acc": 100.0}


def test_shuffled_labels_are_recognised_by_chance() -> None:
    data = {
        split: shuffled(each) for split, each in splits(train=examples(200, seed=0), test=examples(400, seed=2)).items()
    }
    # four speakers: 25 %, three standard deviations are 6.5 %
    assert train(data).test["acc"] == pytest.approx(25.0, abs=8.0)


def test_probes_trained_together_are_what_each_is_alone() -> None:
    data = splits(dev=examples(60, seed=1, noise=3.0), test=examples(60, seed=2, noise=3.0))
    together = train(data, (1e-3, 1e-2, 1e-4))
    alone = [train(data, (rate,)) for rate in (1e-3, 1e-2, 1e-4)]
    best = max(alone, key=lambda outcome: outcome.dev["acc"])
    assert (together.dev, together.test) == (best.dev, best.test)
    assert together.learning_rate in {each.learning_rate for each in alone if each.dev == best.dev}


def test_a_probe_is_trained_and_chosen_as_by_a_plain_loop() -> None:
    data = splits(dev=examples(60, seed=1, noise=3.0), test=examples(60, seed=2, noise=3.0))
    classes = {split: torch.tensor([SPEAKERS.index(each) for each in data[split].targets]) for split in data}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        probe = Probe(SID.probe(8, 4), 3)
    optimizer = torch.optim.Adam(probe.parameters(), lr=1e-2)
    order = torch.Generator().manual_seed(5)

    def logits(split: str, rows: Tensor) -> Tensor:
        result: Tensor = probe(data[split].features[rows][:, :, None], torch.ones(len(rows), dtype=torch.long))
        return result

    def accuracy(split: str) -> float:
        hits = logits(split, torch.arange(60)).argmax(dim=1) == classes[split]
        return 100 * float(hits.double().mean())

    seen: list[tuple[float, float, int, float]] = []
    for epoch in range(3):
        rows = torch.randperm(40, generator=order)
        for turn, batch in enumerate((rows[:32], rows[32:])):
            optimizer.zero_grad()
            cross_entropy(logits("train", batch), classes["train"][batch]).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
            optimizer.step()
            loss = cross_entropy(logits("dev", torch.arange(60)), classes["dev"]).item()
            seen.append((accuracy("dev"), -loss, 2 * epoch + turn + 1, accuracy("test")))
    dev, _, step, test = max(seen)
    outcome = train(data, (1e-2,), steps=6)
    assert outcome.step == step
    assert (outcome.dev["acc"], outcome.test["acc"]) == (pytest.approx(dev), pytest.approx(test))


def test_the_same_seed_gives_the_same_probe() -> None:
    data = splits(dev=examples(60, seed=1, noise=3.0))
    assert train(data) == train(data)


def test_test_never_takes_part_in_the_choice() -> None:
    data = splits(dev=examples(40, seed=1, noise=3.0), test=examples(40, seed=2, noise=3.0))
    first, second = train(data), train({**data, "test": shuffled(data["test"])})
    assert (first.learning_rate, first.step, first.dev) == (second.learning_rate, second.step, second.dev)
    assert first.test != second.test
