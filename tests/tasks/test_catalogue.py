"""A contract that every task in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

import pytest
import torch

from speechft_cli.errors import RequestError
from speechft_cli.tasks import PROPOSED, TASKS, trained_task
from speechft_cli.tasks.base import Task

TARGETS = {
    "text": ["ONE TWO", "THREE"],
    "phones": ["W AH N", "T UW"],
    "speaker": ["a", "b"],
    "units": ["0 1 1", "1 0"],
    "text+slots": ["one two\tO x", "three\tO"],
    "speaker+id+trials?": ["a\t1\t", "b\t2\t"],
    "segments+duration": ["a 0 1;b 0.5 2\t2.000", "x 0.2 1\t2.000"],
    "action+object+location": ["on\tlamp\tnone", "off\tnone\tnone"],
}
#: Target → its perfect prediction, where that is not the target itself.
PERFECT = {
    "a\t1\t": "0000803f00000000",  # the vectors (1, 0) and (0, 1)
    "b\t2\t": "000000000000803f",
    "a 0 1;b 0.5 2\t2.000": "20\t2 0 10;1 5 20",  # in frames, whoever is called 1
    "x 0.2 1\t2.000": "20\t1 2 10",
}


#: `qbe` compares features and has no head.
TRAINED = [name for name in TASKS if TASKS.get(name).is_trained]


@pytest.fixture(params=TRAINED)
def task(request: pytest.FixtureRequest) -> Task:
    return trained_task(request.param, key="task")


def test_nothing_can_be_trained_for_the_others() -> None:
    others = sorted(set(TASKS) - set(TRAINED))
    assert others == ["qbe"]
    for name in others:
        with pytest.raises(RequestError, match=r"finetune\.task: must be a task that something is trained for"):
            trained_task(name, key="finetune.task")


def test_a_task_has_its_catalogue_name(task: Task) -> None:
    assert task.name in TASKS
    assert TASKS.get(task.name) is task


def test_the_fields_that_tasks_are_proposed_by_are_their_own() -> None:
    assert {name: TASKS.get(name).needs for name in PROPOSED} == PROPOSED


@pytest.mark.parametrize("kind", ["head", "probe"])
def test_a_head_gives_a_loss_that_falls_and_predictions_that_score(task: Task, kind: str) -> None:
    torch.manual_seed(0)
    targets = [task.normalise(target) for target in TARGETS.get(task.needs, ["x", "y"])]
    vocabulary = task.vocabulary(targets)
    encoded = [task.encode(target, vocabulary) for target in targets]
    features = torch.randn(2, 20, 16)
    counts = torch.tensor([20, 18])
    head = getattr(task, kind)(16, len(vocabulary))
    head.eval()  # SpecAugment and dropout would hide a small gain
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses: list[float] = []
    for _ in range(60):
        loss = task.loss(head(features, counts), counts, encoded, vocabulary)
        losses.append(float(loss.detach()))
        if losses[-1] < 0.5 * losses[0]:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert losses[-1] < 0.5 * losses[0]
    predictions = task.predict(head(features, counts), counts, vocabulary)
    scores = task.score(predictions, targets)
    assert set(scores) == {metric.name for metric in task.metrics}


def test_a_perfect_prediction_has_the_best_score(task: Task) -> None:
    targets = [task.normalise(target) for target in TARGETS.get(task.needs, ["x", "y"])] * 2
    scores = task.score([PERFECT.get(target, target) for target in targets], targets)

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
