"""AISHELL-3, AN4, CREMA-D, EmoDB and the Free Spoken Digit Dataset."""

from collections import Counter
from pathlib import Path

from speechft_cli.data.utterance import Utterance
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import aishell3, an4, crema_d, emodb, fsdd, noise, text


def test_aishell3_has_characters_as_text_and_pinyin_as_phonemes(tmp_path: Path) -> None:
    aishell3(tmp_path)
    found = read("aishell3", tmp_path)
    assert Counter(split for split, _ in found) == {"train": 2, "dev": 1, "test": 3}
    assert found[-1] == (
        "test",
        Utterance(
            "SSB00050013",
            tmp_path / "data_aishell3/test/wav/SSB0005/SSB00050013.wav",
            text="广州话",
            phones="guang3 zhou1 hua4",
            speaker="SSB0005",
            labels={"gender": "female", "accent": "north"},
        ),
    )
    assert Counter(split for split, _ in read("aishell3", tmp_path, train=["train"])) == {"train": 3}


def test_an4_has_transcripts_with_and_without_marks_and_the_phonemes_of_its_dictionary(tmp_path: Path) -> None:
    an4(tmp_path)
    found = {each.id: (split, each) for split, each in read("an4", tmp_path)}
    split, yes = found["an251-fcaw-b"]
    assert (split, yes.text, yes.phones, yes.speaker, yes.labels) == (
        "test",
        "YES",
        "Y EH S",
        "fcaw",
        {"gender": "female"},
    )
    assert found["an406-fcaw-b"][1].phones is None  # RUBOUT is not in the dictionary
    assert found["an406-mblw-b"][1].labels == {"gender": "male"}


def test_an4_draws_dev_by_speaker(tmp_path: Path) -> None:
    an4(tmp_path)
    splits = {each.speaker: split for split, each in read("an4", tmp_path)}
    assert Counter(splits.values()) == {"train": 2, "dev": 1, "test": 1}
    assert any({each.speaker: s for s, each in read("an4", tmp_path, seed=seed)} != splits for seed in range(1, 5))


def test_an4_with_ids_in_capitals_missing_audio_and_a_broken_line(tmp_path: Path) -> None:
    an4(tmp_path)
    (tmp_path / "an4/wav/an4test_clstk/fcaw/an251-fcaw-b.sph").unlink()
    lines = ("<s> YES </s> (AN251-FCAW-B)", "<S> Z </S> (AN406-FCAW-B)", "NO ID", "(an406-fcaw-b)")
    text(tmp_path / "an4/etc/an4_test.transcription", *lines, end="\r\n")
    ((_, only),) = read("an4", tmp_path, test=["test"])
    assert (only.text, only.phones, only.audio.name, only.speaker) == ("Z", "Z IY", "an406-fcaw-b.sph", "fcaw")
    assert [each.reason for each in rejected("an4", tmp_path, test=["test"])] == [
        "transcript without audio",
        "line without text and id",
        "audio without transcript",
    ]


def test_crema_d_names_actor_sentence_emotion_and_level(tmp_path: Path) -> None:
    crema_d(tmp_path)
    found = {each.id: each for _, each in read("crema-d", tmp_path)}
    first = found["1001_DFA_ANG_XX"]
    assert (first.text, first.speaker) == ("Don't forget a jacket.", "1001")
    assert first.labels == {"emotion": "anger", "level": "unspecified", "gender": "male"}
    assert found["1002_IEO_HAP_HI"].labels == {"emotion": "happiness", "level": "high"}


def test_crema_d_and_emodb_draw_speakers_or_take_those_that_are_named(tmp_path: Path) -> None:
    crema_d(tmp_path)
    emodb(tmp_path)
    for corpus, named in (("crema-d", "1003"), ("emodb", "09")):
        found = read(corpus, tmp_path)
        splits = {(each.speaker, split) for split, each in found}
        assert Counter(split for _, split in splits) == {"train": 3, "dev": 1, "test": 1}
        chosen = read(corpus, tmp_path, test=[named])
        assert {(split, each.speaker) for split, each in chosen} == {("test", named)}


def test_emodb_names_speaker_sentence_and_emotion_in_german(tmp_path: Path) -> None:
    emodb(tmp_path)
    noise(tmp_path / "wav" / "readme.wav")
    noise(tmp_path / "wav" / "03A02NB.WAV")
    found = {each.id: each for _, each in read("emodb", tmp_path)}
    assert found["03a01Fa"].text == "Der Lappen liegt auf dem Eisschrank."
    assert found["03a01Fa"].labels == {"emotion": "happiness", "gender": "male"}
    assert found["16b10Wc"].labels == {"emotion": "anger", "gender": "female"}
    assert found["03A02NB"].labels["emotion"] == "neutral"
    assert [each.id for each in rejected("emodb", tmp_path)] == ["readme"]


def test_fsdd_tests_on_the_first_five_of_each_digit_and_speaker(tmp_path: Path) -> None:
    fsdd(tmp_path)
    found = {each.id: (split, each) for split, each in read("fsdd", tmp_path)}
    assert {name: split for name, (split, _) in found.items() if "theo" in name} == {
        "7_theo_0": "test",
        "7_theo_5": "dev",
        "7_theo_10": "train",
    }
    each = found["7_theo_0"][1]
    assert (each.text, each.labels, each.speaker) == ("seven", {"digit": "seven", "keyword": "seven"}, "theo")
    assert {split for split, each in read("fsdd", tmp_path, dev=["theo"]) if each.speaker == "theo"} == {"dev"}
