import math
import random
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from speechft_cli.probing.pooled import PooledExamples, predict_pooled, train_pooled_probes
from speechft_cli.probing.probe import Probe, Randomness, Trained, evaluation_steps
from speechft_cli.tasks.sid import SID

CPU = torch.device("cpu")
SPEAKERS = ("ann", "bob", "eve", "kim")
CLASSES = SID.vocabulary(SPEAKERS)


def examples(count: int, *, seed: int, noise: float = 0.3, encoders: int = 1) -> PooledExamples:
    """Speakers are directions in the second of three layers; every encoder hears them through other noise."""
    generator = torch.Generator().manual_seed(seed)
    targets = [SPEAKERS[number % len(SPEAKERS)] for number in range(count)]
    features = noise * torch.randn(encoders, count, 3, 8, generator=generator)
    for row, target in enumerate(targets):
        features[:, row, 1, SPEAKERS.index(target)] += 3.0
    return PooledExamples(features, targets)


def train(
    train: PooledExamples,
    dev: PooledExamples,
    rates: Sequence[float] = (1e-2,),
    seeds: Sequence[int] = (5,),
    steps: int = 40,
    is_balanced: bool = False,
) -> list[dict[float, list[Trained]]]:
    return train_pooled_probes(
        SID,
        train,
        dev,
        learning_rates=rates,
        seeds=seeds,
        steps=steps,
        batch_size=32,
        evaluations=20,
        is_balanced=is_balanced,
        device=CPU,
        advance=lambda _: None,
    )


def accuracy(probe: Trained, split: PooledExamples) -> float:
    predictions = predict_pooled(SID, probe.weights, split.features[0], CLASSES, device=CPU)
    return SID.score(predictions, split.targets)["acc"]


def shuffled(data: PooledExamples) -> PooledExamples:
    targets = list(data.targets)
    random.Random(0).shuffle(targets)
    return PooledExamples(data.features, targets)


def logits(weights: object, states: Tensor, counts: Tensor) -> Tensor:
    probe = Probe(SID.probe(8, 4), 3)
    probe.load_state_dict(weights)  # type: ignore[arg-type]
    result: Tensor = probe(states, counts).detach()
    return result


def naive(
    train: Tensor, train_counts: Tensor, dev: Tensor, dev_counts: Tensor, rate: float, seed: int, steps: int
) -> Trained:
    """One probe by a plain loop over hidden states of frames (U, L + 1, T, D), with torch's own Adam and clipping."""
    truth, dev_truth = (torch.arange(len(states)) % 4 for states in (train, dev))
    with Randomness(seed, CPU)():
        probe = Probe(SID.probe(8, 4), 3)
    optimizer = torch.optim.Adam(probe.parameters(), lr=rate)
    order = torch.Generator().manual_seed(seed)
    best, step = Trained(0, {"acc": -1.0}, math.inf, {}), 0
    while step < steps:
        for batch in torch.randperm(len(train), generator=order).split(32):
            step += 1
            if step > steps:
                break
            optimizer.zero_grad()
            cross_entropy(probe(train[batch], train_counts[batch]), truth[batch]).backward()
            torch.nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
            optimizer.step()
            if step not in evaluation_steps(steps, 20):
                continue
            with torch.no_grad():
                heard = probe(dev, dev_counts)
            score = 100 * float((heard.argmax(dim=1) == dev_truth).double().mean())
            loss = float(cross_entropy(heard, dev_truth))
            if (score, -loss) > (best.dev["acc"], -best.loss):
                weights = {name: value.clone() for name, value in probe.state_dict().items()}
                best = Trained(step, {"acc": score}, loss, weights)
    return best


def test_all_probes_at_once_are_what_each_is_alone_on_frames() -> None:
    generator = torch.Generator().manual_seed(0)
    rates, seeds, steps, encoders = (3e-2, 1e-2, 1e-3), (5, 6), 50, 2
    frames, counts, pooled = {}, {}, {}
    for split, size in (("train", 75), ("dev", 60)):
        states = torch.randn(encoders, size, 3, 9, 8, generator=generator)  # (E, U, L + 1, T, D)
        states[:, range(size), 1, :, [number % 4 for number in range(size)]] += 0.8
        frames[split], counts[split] = states, torch.randint(3, 10, (size,), generator=generator)
        means = [each[:, :, :count].mean(dim=2) for each, count in zip(states.unbind(1), counts[split], strict=True)]
        targets = [SPEAKERS[number % 4] for number in range(size)]
        pooled[split] = PooledExamples(torch.stack(means, dim=1), targets)
    together = train(pooled["train"], pooled["dev"], rates, seeds, steps)
    for encoder in range(encoders):
        for rate in rates:
            for place, seed in enumerate(seeds):
                heard = (frames["dev"][encoder], counts["dev"])
                alone = naive(frames["train"][encoder], counts["train"], *heard, rate, seed, steps)
                probe = together[encoder][rate][place]
                assert (probe.step, probe.dev) == (alone.step, pytest.approx(alone.dev))
                torch.testing.assert_close(
                    logits(probe.weights, *heard), logits(alone.weights, *heard), rtol=0, atol=1e-5
                )


def test_the_gradient_of_each_probe_is_clipped_by_its_own_norm() -> None:
    loud = PooledExamples(1e3 * examples(40, seed=0).features, examples(40, seed=0).targets)
    both = PooledExamples(torch.cat([loud.features, examples(40, seed=0).features]), loud.targets)
    together = train(both, both, steps=3)
    alone = train(examples(40, seed=0), examples(40, seed=0), steps=3)
    for name, value in alone[0][1e-2][0].weights.items():
        torch.testing.assert_close(together[1][1e-2][0].weights[name], value, rtol=0, atol=1e-6)


def test_a_rare_class_counts_as_much_as_a_frequent_one_when_balanced() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = ["ann"] * 190 + ["bob"] * 10
    features = torch.randn(1, 200, 3, 8, generator=generator)
    features[:, 190:, :, 0] += 1.0  # one deviation apart: guessing the frequent class is hard to beat
    data = PooledExamples(features, targets)
    recalls = {}
    for is_balanced in (False, True):
        probe = train(data, data, steps=60, is_balanced=is_balanced)[0][1e-2][0]
        predicted = predict_pooled(SID, probe.weights, features[0], SID.vocabulary(targets), device=CPU)
        hits = [guess == truth for guess, truth in zip(predicted, targets, strict=True)]
        recalls[is_balanced] = (sum(hits[:190]) / 190, sum(hits[190:]) / 10)
        expected = sum(recalls[is_balanced]) / 2 if is_balanced else sum(hits) / 200
        assert probe.dev["acc"] == pytest.approx(100 * expected)
    assert recalls[True][1] > recalls[False][1] + 0.3
    assert recalls[True][0] < recalls[False][0]


def test_a_probe_that_diverges_leaves_the_others_alone() -> None:
    data = examples(40, seed=0)
    broken = PooledExamples(torch.cat([data.features * math.inf, data.features]), data.targets)
    together, alone = train(broken, broken), train(data, data)
    assert together[1][1e-2][0].dev == alone[0][1e-2][0].dev == {"acc": 100.0}


def test_on_a_separable_problem_the_probe_reaches_the_closed_form_optimum() -> None:
    (probes,) = train(examples(40, seed=0), examples(20, seed=1))
    assert accuracy(probes[1e-2][0], examples(400, seed=2)) == 100.0


def test_on_overlapping_classes_the_probe_reaches_the_closed_form_optimum() -> None:
    def only_one_layer(split: PooledExamples) -> PooledExamples:
        return PooledExamples(split.features * torch.tensor([0.0, 1.0, 0.0])[:, None], split.targets)

    data, dev, test = (
        only_one_layer(examples(size, seed=seed, noise=1.8)) for seed, size in enumerate((2000, 400, 2000))
    )
    # classes of equal spread around known means: the best rule there is takes the nearest mean
    best = 100 * float((test.features[0, :, 1, :4].argmax(dim=1) == torch.arange(2000) % 4).double().mean())
    assert 70 < best < 95
    (probes,) = train(data, dev, (1e-3,), steps=400)
    assert accuracy(probes[1e-3][0], test) == pytest.approx(best, abs=1.5)


def test_shuffled_labels_are_recognised_by_chance() -> None:
    (probes,) = train(shuffled(examples(200, seed=0)), shuffled(examples(40, seed=1)))
    # four speakers: 25 %, three standard deviations of 400 are 6.5 %
    assert accuracy(probes[1e-2][0], shuffled(examples(400, seed=2))) == pytest.approx(25.0, abs=8.0)


def test_seeds_give_other_probes_and_the_same_seed_the_same() -> None:
    data, dev = examples(40, seed=0), examples(60, seed=1, noise=3.0)
    first, second = train(data, dev, seeds=(5, 6)), train(data, dev, seeds=(5, 6))
    five, six = first[0][1e-2]
    assert not torch.equal(five.weights["head.project.weight"], six.weights["head.project.weight"])
    for mine, other in zip(first[0][1e-2], second[0][1e-2], strict=True):
        assert all(torch.equal(value, other.weights[name]) for name, value in mine.weights.items())


def test_dev_speakers_unknown_to_train_count_as_errors() -> None:
    dev = PooledExamples(examples(4, seed=1).features, ["ann", "bob", "zoe", "kim"])
    (probes,) = train(examples(40, seed=0), dev)
    assert probes[1e-2][0].dev == {"acc": 75.0}
