from collections import Counter
from pathlib import Path

import pytest

from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import noise, speech_commands


def test_words_are_ten_keywords_and_unknown_and_silence_is_cut_from_the_noise(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    found = read("speech-commands", tmp_path)
    counts = Counter((split, each.labels["keyword"]) for split, each in found)
    assert counts == {
        **{(split, word): 1 for split in ("train", "dev", "test") for word in ("yes", "off", "_unknown_")},
        ("train", "_silence_"): 16,
        ("dev", "_silence_"): 2,
        ("test", "_silence_"): 2,
    }


def test_lists_decide_on_the_split_and_speakers_are_the_codes_of_the_names(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    found = {(split, each.text): each for split, each in read("speech-commands", tmp_path)}
    assert found["train", "bed"].id == "bed-0a7c2a8d_nohash_0"
    assert found["dev", "bed"].speaker == "b4aa9fef"
    assert found["test", "yes"].speaker == "c1d39ce8"
    assert found["train", "bed"].labels == {"keyword": "_unknown_", "word": "bed"}


def test_without_lists_the_rule_of_the_corpus_decides(tmp_path: Path) -> None:
    # speakers whose parts in the official lists are these
    parts = {"004ae714": "train", "026290a7": "dev", "68dd409e": "test", "aef8dcf5": "test", "060cd039": "dev"}
    for speaker in parts:
        noise(tmp_path / "yes" / f"{speaker}_nohash_1.wav", seconds=0.1)
    assert {each.speaker: split for split, each in read("speech-commands", tmp_path)} == parts


def test_no_second_of_noise_is_in_two_splits(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    cuts = [(each.start, split) for split, each in read("speech-commands", tmp_path) if each.duration]
    assert sorted(cuts) == [(float(second), "train") for second in range(16)] + [
        (16.0, "dev"),
        (17.0, "dev"),
        (18.0, "test"),
        (19.0, "test"),
    ]


def test_the_official_test_set_beside_the_corpus_is_the_test_split(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    for word in ("yes", "_silence_", "_unknown_"):
        noise(tmp_path / "speech_commands_test_set_v0.01" / word / "d0faf7e4_nohash_0.wav", seconds=1)
    found = [each for split, each in read("speech-commands", tmp_path) if split == "test"]
    assert {each.id: each.labels for each in found} == {
        "test-_silence_-d0faf7e4_nohash_0": {"keyword": "_silence_"},
        "test-_unknown_-d0faf7e4_nohash_0": {"keyword": "_unknown_"},
        "test-yes-d0faf7e4_nohash_0": {"keyword": "yes", "word": "yes"},
    }


def test_the_test_set_of_another_version_is_none(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    for version in ("v0.01", "v0.02"):
        noise(tmp_path / f"speech_commands_test_set_{version}" / "yes" / "d0faf7e4_nohash_0.wav", seconds=1)
    second = tmp_path / "mine"
    (tmp_path / "speech_commands_v0.01").rename(second)
    noise(second / "backward" / "0a7c2a8d_nohash_0.wav", seconds=1)  # a word of the second version
    tested = [each.audio for split, each in read("speech-commands", second) if split == "test"]
    assert tested == [tmp_path / "speech_commands_test_set_v0.02/yes/d0faf7e4_nohash_0.wav"]


def test_noise_that_is_none_is_rejected(tmp_path: Path) -> None:
    speech_commands(tmp_path)
    (tmp_path / "speech_commands_v0.01" / "_background_noise_" / "pink_noise.wav").write_text("no audio")
    (only,) = rejected("speech-commands", tmp_path)
    assert (only.id, only.reason) == ("_silence_-pink_noise", "can't be decoded")


def test_folders_of_other_words_are_no_speech_commands(tmp_path: Path) -> None:
    noise(tmp_path / "maybe" / "a_nohash_0.wav")
    with pytest.raises(RequestError, match="must hold yes, has maybe"):
        read("speech-commands", tmp_path)
