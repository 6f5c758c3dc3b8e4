"""What is known of utterances on their way through `prepare`, and the form in which it travels between processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from speechft_cli.data.columns import Row


class Good(NamedTuple):
    """An utterance that can be used; equal recordings have equal lengths and checksums (not the other way round)."""

    split: str
    row: Row
    length: int  # of the recording [bytes]
    checksum: int  # of its first and last bytes


class Bad(NamedTuple):
    """An utterance that can't."""

    split: str
    id: str
    audio: str
    reason: str
    detail: str
    by_rule: bool = False  # the corpus's own rule leaves it out; nothing is wrong with it


class Beyond(NamedTuple):
    """An utterance that nobody looked at, because its split is full."""

    split: str


#: What a corpus reader said of an utterance, with an absolute path and before anything was opened.
Item = tuple[str, Row] | Bad
Verdict = Good | Bad | Beyond


def pack(records: Sequence[Item] | Sequence[Verdict]) -> bytes:
    """Returns items or verdicts as JSON, one a line."""
    return b"\n".join([orjson.dumps(record, default=tuple) for record in records])


def pack_items(items: Sequence[Item]) -> bytes:
    """Returns items in the form that `unpack_items` reads; names that are not UTF-8 are spelt out and rejected."""
    try:
        return pack(items)
    except TypeError as error:
        if "UTF-8" not in str(error):
            raise
        return pack([_printable(item) for item in items])


def _printable(item: Item) -> Item:
    """Returns an item whose names are not UTF-8, which no JSON can hold, as a rejected one with the bytes spelt out."""
    try:
        pack([item])
    except TypeError:
        split, name, audio = item[:3] if isinstance(item, Bad) else (item[0], item[1].id, item[1].audio)
        return Bad(split, _spelt(name), _spelt(audio), "name is not UTF-8", "", by_rule=False)
    return item


def _spelt(text: str) -> str:
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def unpack_items(text: bytes) -> list[Item]:
    """Reads items that `pack` wrote."""
    fields = map(orjson.loads, text.splitlines())
    return [(each[0], Row._make(each[1])) if len(each) == 2 else Bad._make(each) for each in fields]


def unpack_verdicts(text: bytes) -> list[Verdict]:
    """Reads verdicts that `pack` wrote."""
    verdicts: list[Verdict] = []
    for fields in map(orjson.loads, text.splitlines()):
        if len(fields) == len(Good._fields):
            split, row, length, checksum = fields
            verdicts.append(Good(split, Row._make(row), length, checksum))
        else:
            verdicts.append(Bad._make(fields) if len(fields) == len(Bad._fields) else Beyond._make(fields))
    return verdicts


def split_of(verdict: bytes) -> str:
    """Returns the split of a verdict that `pack` wrote, without parsing the rest of it."""
    return verdict[2 : verdict.index(b'"', 2)].decode()
