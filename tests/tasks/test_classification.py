from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from speechft_cli.tasks.ic import IC
from speechft_cli.tasks.ks import KS

TARGETS = ["on\tlights\tnone", "off\tnone\tkitchen", "on\tnone\tnone"]
COUNTS = torch.tensor([1, 1, 1])


def test_slots_may_share_words() -> None:
    assert IC.vocabulary(TARGETS).symbols == (
        "action=off",
        "action=on",
        "object=lights",
        "object=none",
        "location=kitchen",
        "location=none",
    )
    assert IC.encode("on\tnone\tnone", IC.vocabulary(TARGETS)) == [1, 3, 5]


def test_the_loss_is_the_sum_over_slots_of_their_cross_entropies() -> None:
    torch.manual_seed(0)
    vocabulary = IC.vocabulary(TARGETS)
    logits = torch.randn(3, 6)
    encoded = [IC.encode(target, vocabulary) for target in TARGETS]
    expected = sum(
        cross_entropy(logits[:, [2 * slot, 2 * slot + 1]], torch.tensor(truth))
        for slot, truth in enumerate([[1, 0, 1], [0, 1, 1], [1, 0, 1]])
    )

    torch.testing.assert_close(IC.loss(logits, COUNTS, encoded, vocabulary), expected)


def test_an_intent_is_right_only_when_all_slots_are() -> None:
    vocabulary = IC.vocabulary(TARGETS)
    logits = torch.tensor([[0.0, 9, 9, 0, 0, 9], [9, 0, 0, 9, 9, 0], [9, 0, 0, 9, 0, 9]])

    predictions = IC.predict(logits, COUNTS, vocabulary)

    assert predictions == ["on\tlights\tnone", "off\tnone\tkitchen", "off\tnone\tnone"]
    assert IC.score(predictions, TARGETS)["acc"] == pytest.approx(200 / 3)


def test_a_class_that_training_never_had_is_named() -> None:
    with pytest.raises(KeyError, match="location=garden"):
        IC.encode("on\tnone\tgarden", IC.vocabulary(TARGETS))


def test_an_intent_with_an_empty_slot_is_no_intent() -> None:
    assert IC.normalise("on\t \tkitchen") == ""
    assert IC.normalise(" on \tlights\t kitchen") == "on\tlights\tkitchen"


def test_one_label_may_be_the_whole_intent() -> None:
    single = replace(IC, needs="intent")

    assert single.vocabulary(["b", "a"]).symbols == ("a", "b")
    assert single.predict(torch.eye(2), torch.tensor([1, 1]), single.vocabulary(["b", "a"])) == ["a", "b"]


def test_classes_of_one_slot_have_their_plain_names() -> None:
    vocabulary = KS.vocabulary(["yes", "no", "yes"])

    assert vocabulary.symbols == ("no", "yes")
    assert KS.encode("yes", vocabulary) == [1]
