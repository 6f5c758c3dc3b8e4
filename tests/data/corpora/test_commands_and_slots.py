"""Fluent Speech Commands and SNIPS."""

from pathlib import Path

import pytest

from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import fluent_speech_commands, noise, snips, text


def test_a_command_has_three_slots_and_its_speaker(tmp_path: Path) -> None:
    fluent_speech_commands(tmp_path)
    (split, first), (_, second), *_ = read("fluent-speech-commands", tmp_path)
    root = tmp_path / "fluent_speech_commands_dataset"
    assert split == "train"
    assert first == Utterance(
        "train-0",
        root / "wavs/speakers/2BqVo8kVB2Skwgyb/train-0.wav",
        text="Turn on the lights, please",
        speaker="2BqVo8kVB2Skwgyb",
        labels={"action": "activate", "object": "lights", "location": "kitchen", "gender": "female"},
    )
    assert second.labels["action"] == "change language"


def test_a_command_without_a_slot_is_rejected_and_a_table_without_a_column_named(tmp_path: Path) -> None:
    header = ",path,speakerId,transcription,action,object,location"
    text(tmp_path / "data" / "train_data.csv", header, "0,a.wav,s,Hello,activate,,none")
    (only,) = rejected("fluent-speech-commands", tmp_path)
    assert (only.reason, only.detail) == ("row without all slots", "object")
    text(tmp_path / "data" / "train_data.csv", ",path,speakerId", "0,a.wav,s")
    with pytest.raises(RequestError, match=r"must have the columns transcription, action, object, location"):
        read("fluent-speech-commands", tmp_path)


def test_every_word_has_its_tag_and_punctuation_and_accents_are_gone(tmp_path: Path) -> None:
    snips(tmp_path)
    _, first = read("snips", tmp_path)[0]
    assert first == Utterance(
        "Ivy-snips-train-0",
        tmp_path / "SNIPS/train/Ivy-snips-train-0.wav",
        text="PLAY BEYONCE AND FRIENDS NOW",
        speaker="Ivy",
        labels={"slots": "O B-artist I-artist I-artist O", "intent": "PlayMusic"},
    )


def test_no_two_splits_share_a_voice(tmp_path: Path) -> None:
    snips(tmp_path)
    assert [(split, each.speaker) for split, each in read("snips", tmp_path)] == [
        ("train", "Ivy"),
        ("dev", "Amy"),
        ("test", "Brian"),
    ]
    left_out = rejected("snips", tmp_path)
    assert {each.reason for each in left_out} == {"speaker of another split"}
    assert all(each.by_rule for each in left_out)


def test_a_request_without_tags_or_with_too_few_is_rejected(tmp_path: Path) -> None:
    snips(tmp_path)
    noise(tmp_path / "SNIPS" / "train" / "Joey-snips-train-7.wav")
    noise(tmp_path / "SNIPS" / "train" / "Joey-snips-train-8.wav")
    with (tmp_path / "SNIPS" / "all.iob.snips.txt").open("a") as file:
        file.write("joey-SNIPS-train-7 BOS play jazz EOS\tO O GetWeather\r\n")
        file.write("Joey-snips-train-8")  # and there the file breaks off
    found = [(each.id, each.reason, each.detail) for each in rejected("snips", tmp_path) if not each.by_rule]
    assert found == [
        ("Joey-snips-train-7", "transcript without a tag for each word", "2 words, 1 tags"),
        ("Joey-snips-train-8", "audio without transcript", ""),
    ]


def test_a_missing_list_of_tags_is_named(tmp_path: Path) -> None:
    snips(tmp_path)
    (tmp_path / "SNIPS" / "all.iob.snips.txt").unlink()
    with pytest.raises(RequestError, match=r"must hold all\.iob\.snips\.txt"):
        read("snips", tmp_path)


def test_tags_without_recordings_say_where_these_belong(tmp_path: Path) -> None:
    text(tmp_path / "SNIPS" / "all.iob.snips.txt", "Ivy-snips-train-0 BOS play EOS\tO O PlayMusic")
    with pytest.raises(RequestError, match=r"SNIPS: must hold train, has all\.iob\.snips\.txt"):
        read("snips", tmp_path)
