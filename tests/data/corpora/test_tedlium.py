from pathlib import Path

import numpy as np
import pytest

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.corpora.tedlium import normalise
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.corpora.reading import read, rejected
from tests.data.corpora.replicas import noise, tedlium, text


@pytest.mark.parametrize(
    ("spoken", "learned"),
    [
        ("it 's a well-known fact", "IT'S A WELL KNOWN FACT"),
        ("in 1843 , yes !", "IN YES"),
        ("the dogs ' tails", "THE DOGS' TAILS"),
        ("hello 'cause", "HELLO'CAUSE"),
        ("café", "CAF"),
    ],
)
def test_text_is_normalised_as_the_reference_does(spoken: str, learned: str) -> None:
    assert normalise(spoken) == learned


def test_segments_have_their_times_speaker_and_gender(tmp_path: Path) -> None:
    tedlium(tmp_path)
    (split, first), second = read("tedlium", tmp_path, train=["train"])[0], read("tedlium", tmp_path)[1][1]
    audio = tmp_path / "TEDLIUM_release-3/legacy/train/sph/AdaLovelace_2010.sph"
    assert split == "train"
    assert first == Utterance(
        "AdaLovelace_2010-0000050-0000200",
        audio,
        start=0.5,
        duration=1.5,
        text="it 's a well-known fact in 1843",
        normalised="IT'S A WELL KNOWN FACT IN",
        speaker="AdaLovelace_2010",
        labels={"gender": "female"},
    )
    assert (second.start, second.duration, second.target("text")) == (6.25, 1.5, "WE WEAVE PATTERNS")


def test_sphere_recordings_are_read_from_where_the_segment_begins(tmp_path: Path) -> None:
    tedlium(tmp_path)
    _, segment = read("tedlium", tmp_path)[1]
    samples = np.frombuffer(segment.audio.read_bytes()[1024:], dtype="<i2")
    expected = samples[round(6.25 * 16_000) : round(7.75 * 16_000)] / 2**15
    np.testing.assert_allclose(read_waveform(segment).numpy(), expected, atol=1e-6)


def test_what_the_reference_leaves_out_is_listed_as_left_out_by_rule(tmp_path: Path) -> None:
    tedlium(tmp_path)
    found = rejected("tedlium", tmp_path, dev=["dev"])
    assert [(each.reason, each.detail, each.by_rule) for each in found] == [
        ("not of 1 to 60 s", "AlanTuring_2011.stm:2", True),
        ("transcript with <unk>", "AlanTuring_2011.stm:3", True),
        ("not to be scored", "AlanTuring_2011.stm:4", True),
    ]


def test_dos_line_ends_comments_capitals_and_broken_lines(tmp_path: Path) -> None:
    part = tmp_path / "legacy" / "train"
    noise(part / "sph" / "A_Talk.SPH", seconds=3)
    lines = (";; comment", "a_talk 1 a_talk 0 1.5 <o,f0,male> hello", "a_talk 1 a_talk zero 2 <o> x", "a_talk 1")
    text(part / "stm" / "a_talk.STM", *lines, end="\r\n")
    ((_, only),) = read("tedlium", tmp_path)
    assert (only.normalised, only.audio.name, only.labels) == ("HELLO", "A_Talk.SPH", {"gender": "male"})
    assert [(each.id, each.reason) for each in rejected("tedlium", tmp_path)] == [
        ("a_talk.STM:3", "line without times and text"),
        ("a_talk.STM:4", "line without times and text"),
    ]


def test_a_talk_without_its_list_and_a_list_without_its_talk(tmp_path: Path) -> None:
    part = tmp_path / "legacy" / "test"
    noise(part / "sph" / "alone.sph", seconds=1)
    text(part / "stm" / "gone.stm", "gone 1 gone 0 1.5 <o,f0,male> hello")
    (only,) = rejected("tedlium", tmp_path)
    assert (only.id, only.reason) == ("alone", "audio without transcript")
    ((_, gone),) = read("tedlium", tmp_path)
    assert (gone.id, gone.audio.exists()) == ("gone-0000000-0000150", False)


def test_a_release_without_the_legacy_split_says_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(RequestError, match="must hold legacy, has data") as caught:
        read("tedlium", tmp_path)
    assert "openslr.org/51" in caught.value.hint


def test_talks_come_by_name_and_their_segments_in_time_so_that_the_first_hours_are_the_same_everywhere(
    tmp_path: Path,
) -> None:
    part = tmp_path / "legacy" / "train"
    for talk in ("Zoe", "ada", "Bob", "Eve"):
        noise(part / "sph" / f"{talk}.sph", seconds=0.1)
        text(part / "stm" / f"{talk}.stm", *(f"{talk} 1 {talk} {at} {at + 2} <o,f0,male> hello" for at in (3, 10, 1)))
    (part / "stm" / "._ada.stm").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    assert [(each.speaker, each.start) for _, each in read("tedlium", tmp_path)] == [
        (talk, at) for talk in ("ada", "Bob", "Eve", "Zoe") for at in (3, 10, 1)
    ]


def test_limits_belong_to_what_is_kept_and_marks_may_be_in_capitals_or_missing(tmp_path: Path) -> None:
    part = tmp_path / "legacy" / "train"
    noise(part / "sph" / "a.sph", seconds=0.1)
    said = ("1 2 <o> kept", "1 61 <o> kept too", "1 1.99 <o> short", "1 61.01 <o> long", "1 3 <o> the <UNK>", "1 3 <o>")
    text(part / "stm" / "a.stm", *(f"a 1 a {each}" for each in said))
    assert [each.text for _, each in read("tedlium", tmp_path)] == ["kept", "kept too"]
    assert [each.reason for each in rejected("tedlium", tmp_path)] == [
        *["not of 1 to 60 s"] * 2,
        "transcript with <unk>",
        "audio without transcript",
    ]


def test_an_empty_legacy_split_is_told(tmp_path: Path) -> None:
    (tmp_path / "legacy" / "training").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"legacy: must hold train/stm, has training"):
        read("tedlium", tmp_path)
