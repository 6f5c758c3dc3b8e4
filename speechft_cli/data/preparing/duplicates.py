"""Utterances with the same audio, whatever their files are called."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import close_recording, open_recording
from speechft_cli.data.verdicts import Bad

#: Of equal utterances the one stays that does least harm: what is tested on is never trained on.
_PRECEDENCE = {"test": 0, "dev": 1, "train": 2}


class Entry(NamedTuple):
    """A good utterance and its place in the corpus."""

    place: int
    split: str
    row: Row
    length: int
    checksum: int

    def rejected(self, reason: str, detail: str = "") -> Bad:
        """Returns it as one that can't be used."""
        return Bad(self.split, self.row.id, self.row.audio, reason, detail)


#: What equal stretches of audio have in common: length and checksum of the recording, start and duration.
Looks = tuple[int, int, float, float]


def find_duplicates(
    looks: Iterable[tuple[Looks, bytes]], parse: Callable[[bytes], Entry], twins: dict[int, str]
) -> int:
    """Finds utterances that are the same stretch of the same audio.

    Args:
        looks: What utterances look like and what they are, sorted.
        parse: Makes an entry of the latter; most utterances look like no other, and are never parsed.
        twins: Gets place → id of the one to keep, for all others.

    Returns:
        How many recordings lie in several splits, in different stretches.
    """
    groups = itertools.groupby(looks, key=lambda each: each[0][:2])
    return sum(_look_closely(group, parse, twins) for _, group in groups)


def _look_closely(group: Iterator[tuple[Looks, bytes]], parse: Callable[[bytes], Entry], twins: dict[int, str]) -> int:
    """Does so among recordings that look alike; memory grows with their number, not with that of their stretches."""
    first = next(group)
    if (second := next(group, None)) is None:
        return 0
    splits: dict[_Place, set[str]] = {}
    content: dict[_Place, str] = {}
    for _, same in itertools.groupby(itertools.chain([first, second], group), key=lambda each: each[0]):
        entries = [parse(line) for _, line in same]
        for entry in _keep_one_of_each(entries, content, twins):
            splits.setdefault(_place(entry), set()).add(entry.split)
    if len(set().union(*splits.values())) < 2:
        return 0
    joined: dict[str, set[str]] = {}
    for place, found in splits.items():
        joined.setdefault(_content(place, content) if len(splits) > 1 else "", set()).update(found)
    return sum(len(found) > 1 for found in joined.values())


_Place = tuple[str, int, int]  # of a recording: file, and where in it and how long when it is an archive


def _place(entry: Entry) -> _Place:
    return entry.row.audio, entry.row.offset, entry.row.size


def _keep_one_of_each(entries: Sequence[Entry], content: dict[_Place, str], twins: dict[int, str]) -> list[Entry]:
    """Returns an entry per audio, and notes the others."""
    if len(entries) == 1:
        return list(entries)
    is_one_place = len({_place(entry) for entry in entries}) == 1
    kept: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda each: (_PRECEDENCE[each.split], each.place)):
        first = kept.setdefault("" if is_one_place else _content(_place(entry), content), entry)
        if first is not entry:
            twins[entry.place] = first.row.id
    return list(kept.values())


def _content(place: _Place, content: dict[_Place, str]) -> str:
    """Returns the hash of a recording."""
    if place not in content:
        audio, offset, size = place
        file = open_recording(audio, offset=offset, size=size)
        try:
            if isinstance(file, int):
                with open(file, "rb", closefd=False) as stream:  # a descriptor
                    content[place] = hashlib.file_digest(stream, "sha256").hexdigest()
            else:
                content[place] = hashlib.sha256(file.getvalue()).hexdigest()
        finally:
            close_recording(file)
    return content[place]
