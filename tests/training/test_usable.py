from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.training.usable import LeftOut, usable_by_length, usable_for_scoring, usable_for_training


def utterance(name: str, *, text: str | None = None, phones: str | None = None, seconds: float = 2.0) -> Utterance:
    return Utterance(name, Path("a.wav"), duration=seconds, sample_rate=16_000, text=text, phones=phones)


def test_each_utterance_left_out_has_its_reason(hubert: EncoderFamily) -> None:
    task = TASKS.get("asr")
    usable, rejected = usable_for_training(
        Utterances.of(
            [
                utterance("good", text="Hello, world"),
                utterance("silent"),
                utterance("empty", text="123 ..."),
                utterance("short", text="A", seconds=0.5),
                utterance("long", text="A", seconds=9.0),
                utterance("dense", text="ABCD " * 20, seconds=1.0),
            ]
        ),
        task,
        task.vocabulary([]),
        frame_counts=hubert.frame_count,
        min_seconds=1.0,
        max_seconds=8.0,
    )

    assert [each.id for each in usable] == ["good"]
    assert {each.utterance_id: each.reason for each in rejected if each.count == 1} == {
        "silent": "no text",
        "empty": "nothing usable in text",
        "short": "shorter than min_seconds (1 s)",
        "long": "longer than max_seconds (8 s)",
        "dense": "target longer than the frames",
    }


def test_slots_that_do_not_match_the_words_are_shown(hubert: EncoderFamily) -> None:
    task = TASKS.get("sf")
    spoken = replace(utterance("x", text="PLAY ADELE"), labels={"slots": "artist"})
    _, rejected = usable_for_training(
        Utterances.of([spoken]),
        task,
        task.vocabulary([]),
        frame_counts=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert rejected == [LeftOut("nothing usable in text and slots", 1, "x", r"'PLAY ADELE\tartist'")]


def test_a_phoneme_outside_the_vocabulary_is_named(hubert: EncoderFamily) -> None:
    _, rejected = usable_for_training(
        Utterances.of([utterance("x", phones="AH ZZ")]),
        TASKS.get("pr"),
        Vocabulary(("<blank>", "AH")),
        frame_counts=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert [(each.reason, each.detail) for each in rejected] == [("outside the vocabulary", "ZZ")]


def test_what_can_not_be_trained_on_may_still_be_scored(hubert: EncoderFamily) -> None:
    usable = usable_for_scoring(
        Utterances.of(
            [
                utterance("dense", text="ABCD " * 20, seconds=1.0),
                utterance("nothing"),
                utterance("long", text="A", seconds=9),
                utterance("click", text="A", seconds=399 / 16_000),  # a frame hears 400 samples
            ]
        ),
        TASKS.get("asr"),
        frame_counts=hubert.frame_count,
        max_seconds=8.0,
    )

    assert [each.id for each in usable] == ["dense"]


def test_what_has_no_frame_is_left_out_whatever_the_shortest_length(hubert: EncoderFamily) -> None:
    both = Utterances.of([utterance("click", phones="AH", seconds=0.02), utterance("word", phones="AH", seconds=0.04)])
    bounds = {"frame_counts": hubert.frame_count, "min_seconds": 0.01, "max_seconds": 8.0}

    for usable, rejected in (
        usable_by_length(both, **bounds),
        usable_for_training(both, TASKS.get("pr"), Vocabulary(("<blank>", "AH")), **bounds),
    ):
        assert [each.id for each in usable] == ["word"]
        assert rejected == [LeftOut("too short for a frame", 1, "click", "0.02 s")]


def test_the_shortest_and_the_longest_length_are_allowed(hubert: EncoderFamily) -> None:
    lengths = {"shorter": 0.99, "short": 1.0, "long": 8.0, "longer": 8.01}
    four = Utterances.of([utterance(name, text="A", seconds=seconds) for name, seconds in lengths.items()])
    task, bounds = TASKS.get("asr"), {"frame_counts": hubert.frame_count, "min_seconds": 1.0, "max_seconds": 8.0}
    for usable, rejected in (
        usable_by_length(four, **bounds),
        usable_for_training(four, task, task.vocabulary([]), **bounds),
    ):
        assert [each.id for each in usable] == ["short", "long"]
        assert [(each.utterance_id, each.reason) for each in rejected] == [
            ("shorter", "shorter than min_seconds (1 s)"), ("longer", "longer than max_seconds (8 s)"),
        ]  # fmt: skip
    scored = usable_for_scoring(four, task, frame_counts=hubert.frame_count, max_seconds=8.0)
    assert [each.id for each in scored] == ["shorter", "short", "long"]


def test_a_target_may_take_all_frames_there_are(hubert: EncoderFamily) -> None:
    # 16 080 samples are 50 frames; 16080 / 16000 * 16000 is a little less than 16 080
    usable, _ = usable_for_training(
        Utterances.of([utterance("fast", phones=" ".join(["AH", "EH"] * 25), seconds=16_080 / 16_000)]),
        TASKS.get("pr"),
        Vocabulary(("<blank>", "AH", "EH")),
        frame_counts=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert [each.id for each in usable] == ["fast"]


def test_a_letter_outside_the_alphabet_is_named_not_dropped(hubert: EncoderFamily) -> None:
    task = TASKS.get("asr")
    usable, rejected = usable_for_training(
        Utterances.of([utterance("german", text="Hören")]),
        task,
        task.vocabulary([]),
        frame_counts=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert not usable
    assert [(each.reason, each.detail) for each in rejected] == [("outside the vocabulary", "Ö")]


def test_reasons_are_counted_with_their_first_utterance(hubert: EncoderFamily) -> None:
    task = TASKS.get("asr")
    _, rejected = usable_for_training(
        Utterances.of([utterance("a"), utterance("b", text="Ä"), utterance("c"), utterance("d", text="Ö")]),
        task,
        task.vocabulary([]),
        frame_counts=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert rejected == [LeftOut("no text", 2, "a"), LeftOut("outside the vocabulary", 2, "b", "Ä")]


@given(st.text(max_size=30) | st.text("AB' -.1", max_size=30), st.sampled_from(["asr", "pr"]))
def test_a_glance_never_lets_through_what_a_closer_look_would_not(text: str, name: str) -> None:
    task = TASKS.get(name)
    vocabulary = task.vocabulary(["A B"])
    most = task.frames_at_most(text, vocabulary)
    if most is not None:
        reference = task.normalise(text)
        assert reference
        assert task.frames_needed(task.encode(reference, vocabulary)) <= most


def test_an_ordinary_transcript_is_judged_at_a_glance() -> None:
    task = TASKS.get("asr")

    assert task.frames_at_most("Hello, World!", task.vocabulary([])) == 26
