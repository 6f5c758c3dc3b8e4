from collections import Counter
from pathlib import Path

import pytest

from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_split_folders_hold_class_folders_and_the_class_is_the_label(tmp_path: Path) -> None:
    touch(tmp_path, "train/yes/a b.WAV", "valid/yes/deep/b.flac", "test/no/c.opus", "train/yes/notes.txt")
    touch(tmp_path, "train/yes/._a b.WAV", "__MACOSX/train/yes/._a b.WAV")  # what a Mac adds
    assert read("folder", tmp_path) == [
        ("train", Utterance("train/yes/a b", tmp_path / "train/yes/a b.WAV", labels={"label": "yes"})),
        ("dev", Utterance("valid/yes/deep/b", tmp_path / "valid/yes/deep/b.flac", labels={"label": "yes"})),
        ("test", Utterance("test/no/c", tmp_path / "test/no/c.opus", labels={"label": "no"})),
    ]


def test_recordings_that_only_ffmpeg_reads_are_found_unless_they_were_converted(tmp_path: Path) -> None:
    touch(tmp_path, "train/yes/a.m4a", "train/yes/b.M4A", "train/yes/b.flac", "train/yes/._c.m4a")
    assert [each.audio.name for _, each in read("folder", tmp_path)] == ["a.m4a", "b.flac"]


def test_without_split_folders_each_class_is_divided_80_10_10(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{number}.wav" for name in ("yes", "no") for number in range(20)))
    counts = Counter((split, utterance.labels["label"]) for split, utterance in read("folder", tmp_path))
    assert counts == {
        (split, name): n for split, n in (("train", 16), ("dev", 2), ("test", 2)) for name in ("yes", "no")
    }


def test_a_drawn_split_depends_on_seed_and_path_and_nothing_else(tmp_path: Path) -> None:
    for place in ("here", "there"):
        touch(tmp_path / place, *(f"yes/{number}.wav" for number in range(30)))
    chosen = [{each.id: split for split, each in read("folder", tmp_path / place)} for place in ("here", "there")]
    assert chosen[0] == chosen[1]
    assert {each.id: split for split, each in read("folder", tmp_path / "here", seed=1)} != chosen[0]


def test_a_class_of_two_recordings_is_all_train(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.wav", "yes/b.wav")
    assert [split for split, _ in read("folder", tmp_path)] == ["train", "train"]


def test_splits_choose_folders_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "session1/sad/a.wav", "session2/sad/b.wav", "session3/sad/c.wav")
    assert [(split, each.id) for split, each in read("folder", tmp_path, test=["session1"], train=["session3"])] == [
        ("train", "session3/sad/c"),
        ("test", "session1/sad/a"),
    ]


def test_splits_beside_classes_are_ambiguous(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.wav", "bus/b.wav")
    with pytest.raises(RequestError, match="either splits or classes, has the splits train beside bus"):
        read("folder", tmp_path)


def test_a_root_without_recordings_says_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "yes/a.txt")
    with pytest.raises(RequestError, match="one folder per class"):
        read("folder", tmp_path)


def test_a_missing_folder_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    touch(tmp_path, "a/yes/a.wav")
    with pytest.raises(RequestError, match="must hold the folders b, has a"):
        read("folder", tmp_path, train=["b"])
