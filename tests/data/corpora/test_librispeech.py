from pathlib import Path

import pytest

from speechft_cli.data.corpora.librispeech import LIBRISPEECH
from speechft_cli.data.corpus import CorpusRequest, Rejected
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.corpora.replicas import librispeech


def chapter(root: Path, name: str, texts: dict[str, str], recordings: list[str]) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    speaker, number = folder.parts[-2:]
    lines = "".join(f"{key} {text}\n" for key, text in texts.items())
    (folder / f"{speaker}-{number}.trans.txt").write_text(lines)
    for recording in recordings:
        (folder / f"{recording}.flac").touch()
    return folder


def read(root: Path, **splits: list[str]) -> list[tuple[str, Utterance] | Rejected]:
    return list(LIBRISPEECH.read(CorpusRequest(root, splits=splits)))


def test_the_beginning_of_a_parts_name_is_its_split(tmp_path: Path) -> None:
    chapter(tmp_path, "train-clean-100/19/198", {"19-198-0000": "NORTHANGER ABBEY"}, ["19-198-0000"])
    chapter(tmp_path, "test-other/7/8", {"7-8-0000": "HELLO"}, ["7-8-0000"])
    audio = tmp_path / "train-clean-100/19/198/19-198-0000.flac"
    assert read(tmp_path) == [
        ("train", Utterance("19-198-0000", audio, text="NORTHANGER ABBEY", speaker="19")),
        ("test", Utterance("7-8-0000", tmp_path / "test-other/7/8/7-8-0000.flac", text="HELLO", speaker="7")),
    ]


def test_the_archives_own_top_folder_may_be_part_of_the_root(tmp_path: Path) -> None:
    chapter(tmp_path, "LibriSpeech/dev-clean/1/2", {"1-2-0": "A"}, ["1-2-0"])
    assert read(tmp_path) == read(tmp_path / "LibriSpeech") != []


def test_splits_choose_parts_by_name(tmp_path: Path) -> None:
    for part in ("train-a", "train-b", "mine"):
        chapter(tmp_path, f"{part}/1/2", {f"1-2-{part}": "A"}, [f"1-2-{part}"])
    found = read(tmp_path, dev=["mine"], train=["train-b"])
    assert [(each[0], each[1].id) for each in found if isinstance(each, tuple)] == [
        ("train", "1-2-train-b"),
        ("dev", "1-2-mine"),
    ]


def test_audio_without_transcript_and_transcript_without_audio_are_rejected_in_their_place(tmp_path: Path) -> None:
    folder = chapter(tmp_path, "train-x/1/2", {"1-2-0": "A", "1-2-1": "B", "1-2-3": ""}, ["1-2-0", "1-2-2", "1-2-3"])
    good, *bad = read(tmp_path)
    assert good == ("train", Utterance("1-2-0", folder / "1-2-0.flac", text="A", speaker="1"))
    assert bad == [
        Rejected("1-2-1", folder / "1-2-1.flac", "train", "transcript without audio"),
        Rejected("1-2-2", folder / "1-2-2.flac", "train", "audio without transcript"),
        Rejected("1-2-3", folder / "1-2-3.flac", "train", "audio without transcript"),
    ]


def test_a_chapter_without_transcript_file_is_rejected_whole(tmp_path: Path) -> None:
    folder = chapter(tmp_path, "train-x/1/2", {}, ["1-2-0"])
    (folder / "1-2.trans.txt").unlink()
    assert read(tmp_path) == [Rejected("1-2-0", folder / "1-2-0.flac", "train", "audio without transcript")]


def test_an_empty_root_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"must hold parts named train\*, dev\* or test\*.*has none"):
        read(tmp_path)


def test_a_missing_part_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    chapter(tmp_path, "train-x/1/2", {"1-2-0": "A"}, ["1-2-0"])
    with pytest.raises(RequestError, match="must hold the parts train-y, has train-x"):
        read(tmp_path, train=["train-y"])


def test_genders_are_those_of_the_list_of_speakers(tmp_path: Path) -> None:
    librispeech(tmp_path)
    found = {each[1].speaker: each[1].labels for each in read(tmp_path) if isinstance(each, tuple)}
    assert found == {"103": {"gender": "female"}, "84": {}, "61": {"gender": "male"}}


def test_ids_in_capitals_dos_line_ends_and_spaces_in_paths_do_no_harm(tmp_path: Path) -> None:
    folder = chapter(tmp_path / "my corpora", "train-x/a b/2", {}, ["A B-2-0000"])
    (folder / "a b-2.trans.txt").unlink()
    (folder / "a b-2.trans.txt").write_bytes(b"a_b-2-0000 HELLO\r\n")
    (folder / "A B-2-0000.flac").rename(folder / "A_B-2-0000.FLAC")
    ((_, only),) = [each for each in read(tmp_path / "my corpora") if isinstance(each, tuple)]
    assert (only.id, only.text, only.speaker) == ("A_B-2-0000", "HELLO", "a b")


def test_a_transcript_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    folder = chapter(tmp_path, "train-x/1/2", {}, ["1-2-0"])
    (folder / "1-2.trans.txt").write_bytes(b"1-2-0 CAF\xe9")
    with pytest.raises(RequestError, match=r"1-2\.trans\.txt: must be a UTF-8 text file"):
        read(tmp_path)
