"""Features drowned in noise must score worse, by every task whose probe hears frames.

Utterance tasks, phonemes, query by example and drift are tried on a real encoder, in tests/engines; the recurrent heads
are too slow for that, so those tasks get features that say what there is to know, and for two of them a linear head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from speechft_cli.probing.frames import FrameExamples, predict_frames, train_frame_probes
from speechft_cli.tasks.asr import ASR
from speechft_cli.tasks.asv import ASV
from speechft_cli.tasks.base import Task
from speechft_cli.tasks.pr import PR
from speechft_cli.tasks.sd import SD
from speechft_cli.tasks.sf import SF

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Trial:
    """A task, targets of its three splits, what a target sounds like (T, D), and how its probe is trained."""

    task: Task
    splits: dict[str, list[str]]
    sound: Callable[[str], Tensor]
    steps: int
    learning_rate: float


def spelt(task: Task, splits: dict[str, list[str]]) -> Trial:
    """Two frames per symbol, each symbol in a dimension of its own, and silence between them."""
    splits = {split: [task.normalise(target) for target in targets] for split, targets in splits.items()}
    vocabulary = task.vocabulary(splits["train"])

    def sound(target: str) -> Tensor:
        frames = torch.eye(len(vocabulary))[task.encode(target, vocabulary)]
        return torch.stack([frames, frames, torch.zeros_like(frames)], dim=1).flatten(0, 1)

    return Trial(task, splits, sound, 60, 1e-1)


def transcripts() -> Trial:
    words = ["ABBA", "CAB", "BAD", "DAB", "ACE", "FADE"]
    lines = [f"{one} {other}" for one in words for other in words if one != other]
    return spelt(replace(ASR, make_probe=PR.make_probe), {"train": lines[::2], "dev": lines[1::4], "test": lines[3::4]})


def slots() -> Trial:
    lines = [
        f"{verb} {thing}\tO {slot}"
        for verb in ("play", "add", "find")
        for thing, slot in (("abba", "artist"), ("cab", "taxi"), ("bach", "artist"), ("bike", "taxi"))
    ]
    return spelt(replace(SF, make_probe=PR.make_probe), {"train": lines, "dev": lines[::3], "test": lines[1::3]})


def voices() -> Trial:
    generator = torch.Generator().manual_seed(0)
    known = {f"speaker{number}": torch.randn(8, generator=generator) for number in range(18)}

    def targets(first: int, last: int, each: int) -> list[str]:
        return [f"speaker{number}\t{number}-{turn}\t" for number in range(first, last) for turn in range(each)]

    splits = {"train": targets(0, 6, 4), "dev": targets(6, 12, 2), "test": targets(12, 18, 2)}
    return Trial(ASV, splits, lambda target: known[target.split("\t")[0]].repeat(16, 1), 6, 1e-3)


def conversations() -> Trial:
    turns = [(start, length) for start in range(0, 10, 2) for length in (4, 6, 8)]
    lines = [f"a 0 {start + 3};b {start} {start + length}\t20.000" for start, length in turns]

    def sound(target: str) -> Tensor:
        frames = torch.zeros(20, 2)
        for place, segment in enumerate(target.partition("\t")[0].split(";")):
            _, start, end = segment.split()
            frames[int(start) : int(end), place] = 3.0
        return frames

    return Trial(SD, {"train": lines[::2], "dev": lines[1::4], "test": lines[3::4]}, sound, 40, 1e-2)


def score(trial: Trial, *, noise: float) -> float:
    """Returns the first metric on test of a probe trained on the sounds with noise added."""
    generator = torch.Generator().manual_seed(1)

    def examples(targets: Sequence[str]) -> FrameExamples:
        states = [trial.sound(target)[None] for target in targets]  # one layer: (1, T, D)
        noisy = [each + noise * torch.randn(each.shape, generator=generator) for each in states]
        return FrameExamples(lambda rows: [noisy[row] for row in rows], [each.shape[1] for each in noisy], targets)

    splits = {split: examples(targets) for split, targets in trial.splits.items()}
    probes = train_frame_probes(
        trial.task,
        splits["train"],
        splits["dev"],
        learning_rates=[trial.learning_rate],
        seeds=[0],
        steps=trial.steps,
        batch_size=8,
        evaluations=2,
        device=CPU,
        advance=lambda _: None,
    )
    weights = [each.weights for each in probes[trial.learning_rate]]
    vocabulary = trial.task.vocabulary(trial.splits["train"])
    (predictions,) = predict_frames(trial.task, weights, splits["test"], vocabulary, device=CPU)
    return trial.task.score(predictions, trial.splits["test"])[trial.task.metrics[0].name]


@pytest.mark.parametrize("make", [transcripts, slots, voices, conversations])
def test_noise_is_heard(make: Callable[[], Trial]) -> None:
    trial = make()
    metric = trial.task.metrics[0]
    clear, noisy = score(trial, noise=0.05), score(trial, noise=30.0)
    assert metric.is_better(clear, noisy)
    assert abs(clear - noisy) > 15
