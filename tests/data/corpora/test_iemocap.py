import shutil
from collections import Counter
from pathlib import Path

import pytest

from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import iemocap


def test_four_emotions_with_excitement_as_happiness_and_the_one_who_speaks(tmp_path: Path) -> None:
    iemocap(tmp_path)
    found = {each.id: each for split, each in read("iemocap", tmp_path) if split == "test"}
    assert {name: each.labels["emotion"] for name, each in found.items()} == {
        "Ses01F_impro01_F000": "neutral",
        "Ses01F_impro01_M000": "happiness",
        "Ses01F_impro01_F001": "happiness",
        "Ses01F_impro01_M001": "anger",
        "Ses01F_impro01_F002": "sadness",
    }
    man = found["Ses01F_impro01_M000"]
    assert (man.speaker, man.text) == ("Ses01M", "Excuse me.")
    assert man.labels == {"emotion": "happiness", "gender": "male", "session": "01", "style": "improvised"}


def test_fold_n_tests_on_session_n_and_a_fifth_of_the_rest_is_dev(tmp_path: Path) -> None:
    iemocap(tmp_path)
    for number in range(1, 6):
        found = read("iemocap", tmp_path, test=[f"Session{number}"])
        assert Counter(split for split, _ in found) == {"train": 16, "dev": 4, "test": 5}
        assert {each.labels["session"] for split, each in found if split == "test"} == {f"0{number}"}
    assert read("iemocap", tmp_path, test=["Session1"]) == read("iemocap", tmp_path)
    assert read("iemocap", tmp_path, seed=1) != read("iemocap", tmp_path)


def test_a_session_can_be_dev(tmp_path: Path) -> None:
    iemocap(tmp_path)
    found = read("iemocap", tmp_path, test=["Session5"], dev=["Session4"])
    assert Counter((split, each.labels["session"]) for split, each in found) == {
        ("train", "01"): 5,
        ("train", "02"): 5,
        ("train", "03"): 5,
        ("dev", "04"): 5,
        ("test", "05"): 5,
    }


def test_other_emotions_are_left_out_by_rule(tmp_path: Path) -> None:
    iemocap(tmp_path)
    first = rejected("iemocap", tmp_path)[0]
    assert (first.id, first.reason, first.detail) == ("Ses01F_impro01_M002", "emotion not among the four", "fru")
    assert first.by_rule


def test_a_session_that_is_not_there_is_named(tmp_path: Path) -> None:
    iemocap(tmp_path)
    with pytest.raises(RequestError, match="must hold the parts Session6, has Session1"):
        read("iemocap", tmp_path, test=["Session6"])


def test_a_session_that_was_unpacked_without_its_labels_is_named(tmp_path: Path) -> None:
    iemocap(tmp_path)
    shutil.rmtree(tmp_path / "IEMOCAP_full_release/Session4/dialog/EmoEvaluation")
    with pytest.raises(RequestError, match=r"Session4/dialog: must hold EmoEvaluation, has transcriptions"):
        read("iemocap", tmp_path)
