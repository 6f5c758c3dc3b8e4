import random

import torch

from speechft_cli.probing import frames
from speechft_cli.probing.frames import FrameExamples, train_frame_probes
from speechft_cli.probing.probe import ProbeOutcome
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
    return FrameExamples(features.__getitem__, [each.shape[1] for each in features], targets)


def train(splits: dict[str, FrameExamples], *, steps: int = 100) -> ProbeOutcome:
    return train_frame_probes(
        PR, splits, learning_rates=(1e-4, 1e-1), steps=steps, seed=3, device=CPU, advance=lambda _: None
    )


def splits() -> dict[str, FrameExamples]:
    return {"train": examples(40, seed=0), "dev": examples(8, seed=1), "test": examples(8, seed=2)}


def test_phones_that_can_be_heard_are_recognised_at_the_rate_that_is_best_on_dev() -> None:
    outcome = train(splits())
    assert outcome.learning_rate == 1e-1
    assert outcome.dev["per"] < 10
    assert outcome.test["per"] < 10


def test_the_same_seed_gives_the_same_probe_and_test_has_no_say() -> None:
    data = splits()
    first = train(data, steps=24)
    assert first == train(data, steps=24)
    other = train({**data, "test": examples(8, seed=9)}, steps=24)
    assert (first.learning_rate, first.step, first.dev) == (other.learning_rate, other.step, other.dev)


def test_every_utterance_is_in_one_batch_per_epoch_with_others_of_its_length() -> None:
    lengths = [float(number) for number in range(100)]
    batches = frames._batches(lengths, seed=0)
    epoch = [next(batches) for _ in range(7)]
    assert sorted(row for batch in epoch for row in batch) == list(range(100))
    assert all(max(batch) - min(batch) < 100 / 4 for batch in epoch)
    assert [next(batches) for _ in range(7)] != epoch


def test_progress_counts_the_updates_of_all_learning_rates() -> None:
    seen: list[int] = []
    train_frame_probes(PR, splits(), learning_rates=(1e-3, 1e-2), steps=2, seed=3, device=CPU, advance=seen.append)
    assert seen == [1, 2, 3, 4]
