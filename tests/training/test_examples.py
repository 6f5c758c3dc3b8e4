from __future__ import annotations

from pathlib import Path

from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.training.examples import scoring_examples, training_examples


def utterance(name: str, *, text: str | None = None, phones: str | None = None, seconds: float = 2.0) -> Utterance:
    return Utterance(name, Path("a.wav"), duration=seconds, sample_rate=16_000, text=text, phones=phones)


def test_each_utterance_left_out_has_its_reason(hubert: EncoderFamily) -> None:
    task = TASKS.get("asr")
    examples, rejected = training_examples(
        [
            utterance("good", text="Hello, world"),
            utterance("silent"),
            utterance("empty", text="123 ..."),
            utterance("short", text="A", seconds=0.5),
            utterance("long", text="A", seconds=9.0),
            utterance("dense", text="ABCD " * 20, seconds=1.0),
        ],
        task,
        task.vocabulary([]),
        frame_count=hubert.frame_count,
        min_seconds=1.0,
        max_seconds=8.0,
    )

    assert [example.reference for example in examples] == ["HELLO WORLD"]
    assert {each.utterance_id: each.reason for each in rejected} == {
        "silent": "no text",
        "empty": "empty text",
        "short": "shorter than 1 s",
        "long": "longer than 8 s",
        "dense": "target longer than the frames",
    }


def test_a_phoneme_outside_the_vocabulary_is_named(hubert: EncoderFamily) -> None:
    _, rejected = training_examples(
        [utterance("x", phones="AH ZZ")],
        TASKS.get("pr"),
        Vocabulary(("<blank>", "AH")),
        frame_count=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert [(each.reason, each.detail) for each in rejected] == [("outside the vocabulary", "ZZ")]


def test_what_can_not_be_trained_on_may_still_be_scored() -> None:
    examples = scoring_examples(
        [
            utterance("dense", text="ABCD " * 20, seconds=1.0),
            utterance("nothing"),
            utterance("long", text="A", seconds=9),
        ],
        TASKS.get("asr"),
        max_seconds=8.0,
    )

    assert [example.utterance.id for example in examples] == ["dense"]


def test_a_letter_outside_the_alphabet_is_named_not_dropped(hubert: EncoderFamily) -> None:
    task = TASKS.get("asr")
    examples, rejected = training_examples(
        [utterance("german", text="Hören")],
        task,
        task.vocabulary([]),
        frame_count=hubert.frame_count,
        min_seconds=0.1,
        max_seconds=8.0,
    )

    assert not examples
    assert [(each.reason, each.detail) for each in rejected] == [("outside the vocabulary", "Ö")]
