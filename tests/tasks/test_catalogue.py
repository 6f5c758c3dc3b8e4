"""A contract that every task in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

import math

import pytest
import torch

from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Task

TARGETS = {
    "text": ["ONE TWO", "THREE"],
    "phones": ["W AH N", "T UW"],
    "speaker": ["a", "b"],
    "text+slots": ["one two\tO x", "three\tO"],
    "action+object+location": ["on\tlamp\tnone", "off\tnone\tnone"],
}


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS.get(request.param)


def test_a_task_has_its_catalogue_name(task: Task) -> None:
    assert task.name in TASKS
    assert TASKS.get(task.name) is task


@pytest.mark.parametrize("kind", ["head", "probe"])
def test_a_head_gives_a_loss_that_falls_and_predictions_that_score(task: Task, kind: str) -> None:
    torch.manual_seed(0)
    targets = [task.normalise(target) for target in TARGETS.get(task.needs, ["x", "y"])]
    vocabulary = task.vocabulary(targets)
    encoded = [task.encode(target, vocabulary) for target in targets]
    features = torch.randn(2, 24, 16)
    counts = torch.tensor([24, 20])
    head = getattr(task, kind)(16, len(vocabulary))
    head.eval()  # SpecAugment and dropout would hide a small gain
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    first = math.inf
    for step in range(40):
        loss = task.loss(head(features, counts), counts, encoded, vocabulary)
        first = float(loss.detach()) if step == 0 else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert float(loss.detach()) < 0.5 * first
    predictions = task.predict(head(features, counts), counts, vocabulary)
    scores = task.score(predictions, targets)
    assert set(scores) == {metric.name for metric in task.metrics}


def test_a_perfect_prediction_has_the_best_score(task: Task) -> None:
    targets = [task.normalise(target) for target in TARGETS.get(task.needs, ["x", "y"])]
    scores = task.score(targets, targets)

    for metric in task.metrics:
        assert scores[metric.name] == (100.0 if metric.better == "higher" else 0.0)


def test_normalising_twice_changes_nothing(task: Task) -> None:
    for target in TARGETS.get(task.needs, ["x", "y"]):
        assert task.normalise(task.normalise(target)) == task.normalise(target)


def test_only_a_pooled_task_ignores_the_order_of_frames(task: Task) -> None:
    torch.manual_seed(0)
    head = task.probe(16, 5).eval()
    features = torch.randn(1, 20, 16)
    counts = torch.tensor([20])
    same = torch.allclose(head(features, counts), head(features.flip(1), counts), atol=1e-5)

    assert same == task.is_pooled
