from pathlib import Path

import pytest

from speechft_cli.data.corpora.voxceleb1 import read_trials, utterance_id
from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import text, voxceleb1


def test_the_list_decides_on_the_split_and_all_speakers_are_in_train(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    found = read("voxceleb1", tmp_path)
    speakers = {split: {each.speaker for name, each in found if name == split} for split, _ in found}
    assert speakers["train"] == speakers["dev"] == speakers["test"] == {"id10001", "id10002", "id10270", "id10271"}
    first = found[0][1]
    assert first.id == "id10001-aAbBcC-1234-00001"
    assert first.audio == tmp_path / "dev/wav/id10001/aAbBcC-1234/00001.wav"
    assert first.labels == {"gender": "male"}


def test_speakers_of_trials_are_test_for_verification_and_for_nothing_else(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    splits = {(each.speaker, split): each.task_splits["asv"] for split, each in read("voxceleb1", tmp_path)}
    assert splits["id10270", "train"] == splits["id10271", "dev"] == "test"
    assert [splits["id10001", split] for split in ("train", "dev", "test")] == ["train", "dev", "train"]
    trials = read_trials(tmp_path)
    assert [is_same for is_same, _, _ in trials] == [True, False]
    labels = {each.id: each.labels.get("trials") for _, each in read("voxceleb1", tmp_path)}
    firsts = {utterance_id(first) for _, first, _ in trials}
    listed = [item for first in sorted(firsts) for item in (labels[first] or "").split()]
    assert sorted(listed) == sorted(f"{int(is_same)}:{utterance_id(second)}" for is_same, _, second in trials)
    assert all(value is None for name, value in labels.items() if name not in firsts)


def test_without_trials_there_is_no_split_for_verification(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    (tmp_path / "voxceleb1_test_v2.txt").unlink()
    assert all(not each.task_splits for _, each in read("voxceleb1", tmp_path))


def test_all_recordings_may_lie_in_one_folder(tmp_path: Path) -> None:
    voxceleb1(tmp_path / "x")
    (tmp_path / "wav").mkdir()
    for speaker in (tmp_path / "x").glob("*/wav/id*"):
        speaker.rename(tmp_path / "wav" / speaker.name)
    (tmp_path / "x" / "iden_split.txt").rename(tmp_path / "veri_test_class.txt")
    assert all(each.audio.is_file() for _, each in read("voxceleb1", tmp_path))


def test_archives_may_be_unpacked_into_folders_of_their_names(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    for part in ("dev", "test"):
        (tmp_path / part).rename(tmp_path / f"vox1_{part}_wav")
    found = read("voxceleb1", tmp_path)
    assert len(found) == 13
    assert all(each.audio.is_file() for _, each in found)


def test_parts_that_nobody_wants_stay_out_and_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    assert {split for split, _ in read("voxceleb1", tmp_path, train=["train"])} == {"train"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="empty: must hold dev/wav, has nothing") as caught:
        read("voxceleb1", tmp_path / "empty")
    assert caught.value.hint == f"{tmp_path} holds it: --root {tmp_path}"


def test_a_missing_list_is_named_with_its_page_and_its_place(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    (tmp_path / "iden_split.txt").unlink()
    with pytest.raises(RequestError, match=r"must hold iden_split\.txt") as caught:
        read("voxceleb1", tmp_path)
    assert "meta/iden_split.txt" in caught.value.hint
    assert str(tmp_path / "iden_split.txt") in caught.value.hint


def test_a_broken_line_of_the_list_is_rejected(tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    text(
        tmp_path / "iden_split.txt", "4 id10001/aAbBcC-1234/00001.wav", "1 id10001", "1 id10001/gone/1.wav", end="\r\n"
    )
    assert [each.id for each in rejected("voxceleb1", tmp_path)] == ["iden_split.txt:1", "iden_split.txt:2"]
    assert [each.id for _, each in read("voxceleb1", tmp_path)] == ["id10001-gone-1"]
