from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

from speechft_cli.tasks.sf import SF, mark_slots
from speechft_cli.tasks.slots import read_slots, slot_type_f1, slot_value_cer

MARKED = "PLAY B-artist LED ZEPPELIN E-artist ON B-service RADIO E-service"


@pytest.mark.parametrize(
    "tags",
    ["O artist artist O service", "O B-artist I-artist O B-service"],
)
def test_tags_of_words_become_marks_around_slots(tags: str) -> None:
    assert mark_slots(f"Play Led Zeppelin on radio.\t{tags}") == MARKED


@pytest.mark.parametrize(
    ("target", "marked"),
    [
        ("a b\tB-x B-x", "B-x A E-x B-x B E-x"),  # a new beginning is a new slot
        ("a b\tx y", "B-x A E-x B-y B E-y"),
        ("seven 7 up\tO x O", "SEVEN UP"),  # nothing is left of the slot's words
        ("one two 7 up\tO O x O", "ONE TWO UP"),
        ("twenty-one\tx", "B-x TWENTY ONE E-x"),
        ("a b\tO", ""),  # a tag is missing
        (MARKED, MARKED),
    ],
)
def test_marking_slots(target: str, marked: str) -> None:
    assert mark_slots(target) == marked


@pytest.mark.parametrize("target", [MARKED, "B-x A E-x B-x B E-x", "HELLO", "B-x A E-x B-y B E-y C"])
def test_a_marked_text_survives_encoding_and_decoding(target: str) -> None:
    vocabulary = SF.vocabulary([target])
    path = [symbol for index in SF.encode(target, vocabulary) for symbol in (index, 0)]
    logits = one_hot(torch.tensor([path]), len(vocabulary)).float()

    assert SF.predict(logits, torch.tensor([len(path)]), vocabulary) == [target]


def test_a_mark_clings_to_its_slots_words_and_classes_are_in_order() -> None:
    vocabulary = SF.vocabulary([MARKED])
    assert vocabulary.symbols[-4:] == ("B-artist", "B-service", "E-artist", "E-service")
    spelt = [vocabulary.symbols[index] for index in SF.encode("PLAY B-artist LED ZEP E-artist NOW", vocabulary)]
    assert spelt == [*"PLAY|", "B-artist", *"LED|ZEP", "E-artist", *"|NOW"]


def test_only_a_closed_slot_with_something_in_it_is_a_slot() -> None:
    assert read_slots("B-x A B-y B E-x C E-y") == {"x": ["A B"]}
    assert read_slots("B-x A B-x B E-x") == {"x": ["A B"]}
    assert read_slots("B-x A") == {}
    assert read_slots("B-x E-x") == {}
    assert read_slots("B-x A E-x B-x B E-x") == {"x": ["A", "B"]}


def test_f1_is_of_slot_sets_and_averaged_over_utterances() -> None:
    reference = "B-x A E-x B-y B E-y"
    # {x} against {x, y}: precision 1, recall 1/2, F1 2/3; no slot on either side is right
    assert slot_type_f1(["B-x Q E-x", "HELLO"], [reference, "HI"]) == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert slot_type_f1(["A"], [reference]) == 0.0
    assert slot_type_f1(["B-x A E-x"], ["A"]) == 0.0


def test_value_errors_count_characters_of_the_true_slots_only() -> None:
    reference = "B-x ABCD E-x B-y EF E-y"
    # x: one of 4 characters wrong with the nearer of two guesses; y: both characters missing; z is not asked for
    guess = "B-x QQQQ E-x B-x ABCX E-x B-z G E-z"
    assert slot_value_cer([guess], [reference]) == pytest.approx(100 * 3 / 6)


def test_a_slot_that_is_missed_is_all_deletions() -> None:
    guesses = ["B-artist LED ZEP E-artist", "B-city ROM E-city"]
    references = ["B-artist LED ZEPPELIN E-artist B-city A E-city", "HELLO"]

    assert slot_type_f1(guesses, references) == pytest.approx(100 * (2 / 3 + 0) / 2)
    assert slot_value_cer(guesses, references) == pytest.approx(100 * (5 + 1) / (12 + 1))
