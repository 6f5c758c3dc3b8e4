import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from speechft_cli.probing import frames
from speechft_cli.probing.frames import FrameExamples, predict_frames, train_frame_probes
from speechft_cli.probing.probe import Probe, Trained, is_improvement
from speechft_cli.tasks.asr import ASR
from speechft_cli.tasks.base import Task
from speechft_cli.tasks.pr import PR

CPU = torch.device("cpu")
PHONES = ("AA", "IY", "S")


def examples(count: int, *, seed: int) -> FrameExamples:
    """Each phone is eight frames of its own direction, in the first of two layers; between them is silence."""
    source = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    features, targets = [], []
    for _ in range(count):
        phones = [source.choice(PHONES) for _ in range(source.randint(2, 5))]
        states = 0.1 * torch.randn(2, 12 * len(phones) + 4, 6, generator=generator)
        for place, phone in enumerate(phones):
            states[0, 12 * place + 4 : 12 * place + 12, PHONES.index(phone)] += 2.0
        features.append(states)
        targets.append(" ".join(phones))
    return FrameExamples(lambda rows: [features[row] for row in rows], [each.shape[1] for each in features], targets)


def train(
    rates: Sequence[float], seeds: Sequence[int], *, steps: int = 100, task: Task = PR
) -> dict[float, list[Trained]]:
    return train_frame_probes(
        task,
        examples(40, seed=0),
        examples(8, seed=1),
        learning_rates=rates,
        seeds=seeds,
        steps=steps,
        batch_size=16,
        evaluations=8,
        device=CPU,
        advance=lambda _: None,
    )


def test_phones_that_can_be_heard_are_recognised() -> None:
    test, vocabulary = examples(8, seed=2), PR.vocabulary(examples(40, seed=0).targets)
    (probe,) = train([1e-1], [3])[1e-1]
    assert probe.dev["per"] < 10
    (predictions,) = predict_frames(PR, [probe.weights], test, vocabulary, device=CPU)
    assert PR.score(predictions, test.targets)["per"] < 10


@pytest.mark.parametrize("task", [PR, ASR])
def test_probes_trained_side_by_side_are_what_each_is_alone(task: Task) -> None:
    # ASR's head draws dropout and masks
    together = train([1e-2, 1e-3], [3, 4], steps=2, task=task)
    for rate, probes in together.items():
        for seed, probe in zip((3, 4), probes, strict=True):
            (alone,) = train_alone(task, rate, seed, first=3, steps=2)
            assert (probe.step, probe.dev) == (alone.step, alone.dev)
            for name, value in alone.weights.items():
                assert torch.equal(probe.weights[name], value)


def train_alone(task: Task, rate: float, seed: int, *, first: int, steps: int) -> list[Trained]:
    """One probe by a plain loop over the batches of the first seed."""
    data, dev = examples(40, seed=0), examples(8, seed=1)
    vocabulary = task.vocabulary(data.targets)
    batches = frames._batches(data.lengths, seed=first, batch_size=16)
    best: list[Trained] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = Probe(task.probe(6, len(vocabulary)), 2)
        adam = torch.optim.Adam(probe.parameters(), lr=rate)
        for step in range(1, steps + 1):
            rows = next(batches)
            states, counts = frames._collate(data.features(rows), CPU)
            targets = [task.encode(data.targets[row], vocabulary) for row in rows]
            adam.zero_grad()
            task.loss(probe.train()(states, counts), counts, targets, vocabulary).backward()
            torch.nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
            adam.step()
            ((predictions, loss),) = frames._hear(
                task, [probe], dev, [task.encode(each, vocabulary) for each in dev.targets], vocabulary, CPU
            )
            scores = task.score(predictions, dev.targets)
            if is_improvement(task, scores, loss, best[0] if best else None):
                best = [Trained(step, scores, loss, {n: v.clone() for n, v in probe.state_dict().items()})]
    return best


def test_the_loss_on_dev_is_the_mean_over_the_utterances_whose_target_train_has() -> None:
    data, dev = examples(40, seed=0), examples(20, seed=1)
    dev = replace(dev, targets=["ZH", *dev.targets[1:]])
    settings = {"learning_rates": [1e-2], "seeds": [3], "steps": 1, "batch_size": 16, "evaluations": 1, "device": CPU}
    (trained,) = train_frame_probes(PR, data, dev, **settings, advance=lambda _: None)[1e-2]  # type: ignore[arg-type]
    vocabulary = PR.vocabulary(data.targets)
    probe = Probe(PR.probe(6, len(vocabulary)), 2).eval()
    probe.load_state_dict(dict(trained.weights))
    alone = [
        PR.loss(probe(states[None], counts), counts, [PR.encode(dev.targets[row], vocabulary)], vocabulary)
        for row in range(1, 20)
        for states in dev.features([row])
        for counts in [torch.tensor([states.shape[1]])]
    ]
    assert trained.loss == pytest.approx(float(torch.stack(alone).detach().mean()), rel=1e-5)


def test_a_target_that_no_class_stands_for_is_not_trained_on() -> None:
    data, asked = examples(4, seed=0), Counter[int]()

    def features(rows: Sequence[int]) -> Sequence[torch.Tensor]:
        asked.update(rows)
        return data.features(rows)

    odd = FrameExamples(features, data.lengths, ["É", "É", "A", "É"])
    settings = {"learning_rates": [1e-2], "seeds": [3], "steps": 2, "batch_size": 4, "evaluations": 1, "device": CPU}
    train_frame_probes(ASR, odd, replace(data, targets=["A"] * 4), **settings, advance=lambda _: None)  # type: ignore[arg-type]
    assert asked == {0: 1, 2: 2}  # the first one only for its shape


def test_every_utterance_is_in_one_batch_per_epoch_with_others_of_its_length() -> None:
    lengths = [float(number) for number in range(100)]
    batches = frames._batches(lengths, seed=0, batch_size=16)
    epoch = [next(batches) for _ in range(7)]
    assert sorted(row for batch in epoch for row in batch) == list(range(100))
    assert all(max(batch) - min(batch) < 100 / 4 for batch in epoch)
    assert [next(batches) for _ in range(7)] != epoch


def test_features_are_made_once_per_update_for_all_probes() -> None:
    data, asked = examples(40, seed=0), []

    def features(rows: Sequence[int]) -> Sequence[torch.Tensor]:
        asked.extend(rows)
        return data.features(rows)

    seen: list[int] = []
    train_frame_probes(
        PR,
        FrameExamples(features, data.lengths, data.targets),
        examples(8, seed=1),
        learning_rates=[1e-2, 1e-3, 1e-4],
        seeds=[1, 2],
        steps=2,
        batch_size=16,
        evaluations=8,
        device=CPU,
        advance=seen.append,
    )
    assert len(asked) == 1 + 16 + 8  # one to learn the shape, then batches of 16 and of the 8 left over
    assert seen == [1, 2]
