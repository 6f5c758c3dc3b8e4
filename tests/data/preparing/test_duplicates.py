"""Which utterances are the same audio, among those whose recordings look alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechft_cli.data.preparing.duplicates import Entry, find_duplicates
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of


class Corpus:
    """Utterances whose recordings all have one length and one checksum, as when only their middles differ."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []

    def add(self, split: str, name: str, content: bytes, *, start: float = 0.0) -> None:
        path = self.folder / name
        path.write_bytes(content)
        place = len(self.entries) + 1
        row = row_of(Utterance(f"u{place}", path, start=start, duration=1.0), str(path))
        self.entries.append(Entry(place, split, row, len(content), 7))

    def find(self) -> tuple[int, dict[int, str]]:
        """Recordings that several splits share, and place -> the one that stays."""
        looks = sorted(
            ((each.length, each.checksum, each.row.start, each.row.duration), b"%d" % each.place)
            for each in self.entries
        )
        twins: dict[int, str] = {}
        return find_duplicates(looks, lambda line: self.entries[int(line) - 1], twins), twins


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def test_recordings_that_only_look_alike_are_no_duplicates(corpus: Corpus) -> None:
    corpus.add("train", "a", b"begin one end")
    assert corpus.find() == (0, {})
    corpus.add("test", "b", b"begin two end")
    assert corpus.find() == (0, {})


@pytest.mark.parametrize(
    ("splits", "twins"),
    [
        (("train", "dev", "test"), {1: "u3", 2: "u3"}),
        (("train", "dev"), {1: "u2"}),
        (("dev", "test"), {1: "u2"}),
        (("train", "train"), {2: "u1"}),
    ],
)
def test_of_equal_recordings_the_one_that_is_tested_or_chosen_on_stays(
    corpus: Corpus, splits: tuple[str, ...], twins: dict[int, str]
) -> None:
    for name, split in zip("abc", splits, strict=False):
        corpus.add(split, name, b"the same")
    assert corpus.find() == (0, twins)


def test_a_stretch_that_is_listed_twice_is_a_duplicate_and_its_neighbour_is_none(corpus: Corpus) -> None:
    corpus.add("train", "a", b"the same")
    corpus.add("train", "a", b"the same")
    corpus.add("train", "a", b"the same", start=1.0)
    assert corpus.find() == (0, {2: "u1"})


def test_a_recording_is_shared_by_splits_whatever_its_copies_are_called(corpus: Corpus) -> None:
    corpus.add("train", "a", b"the same")
    corpus.add("test", "b", b"the same", start=1.0)
    assert corpus.find() == (1, {})
    corpus.add("dev", "a", b"the same", start=2.0)
    assert corpus.find() == (1, {})  # it is still one


def test_recordings_that_only_look_alike_are_not_shared(corpus: Corpus) -> None:
    corpus.add("train", "a", b"begin one end")
    corpus.add("train", "a", b"begin one end", start=2.0)
    corpus.add("test", "b", b"begin two end", start=1.0)
    assert corpus.find() == (0, {})
