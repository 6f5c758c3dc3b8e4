"""Some neighbours of a manifest as they will lie in it: made by any process, then only put one after the other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from speechft_cli.data.columns import Encoded, Row, encode_rows
from speechft_cli.data.manifests.cuts import cut_line
from speechft_cli.data.utterance import Seconds
from speechft_cli.data.verdicts import Good

#: gzip's beginning without name and time, which would make bytes differ, and the end of what `make_block` packs.
GZIP_BEGIN = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"
GZIP_END = b"\x03\0"
#: Places in a good verdict, and in its row.
_ROW, _AUDIO = Good._fields.index("row"), Row._fields.index("audio")
_LEVEL = 1  # takes a fifth of the time for a tenth more bytes


class Sums(NamedTuple):
    """What some utterances add up to."""

    utterances: int
    seconds: Seconds
    speakers: frozenset[str]
    sample_rates: frozenset[int]


class Block(NamedTuple):
    """Some rows of a manifest.

    Attributes:
        split: Which manifest.
        lines: Their lines.
        packed: The same, deflated; it may follow other blocks in one stream.
        columns: Their part of the index.
        sums: What they add up to.
    """

    split: str
    lines: bytes
    packed: bytes
    columns: Encoded
    sums: Sums


class BlockTask(NamedTuple):
    """Verdicts of good utterances of a split, as `pack` writes them, and how paths begin that become relative."""

    split: str
    verdicts: bytes
    inside: str


def do_block(task: BlockTask) -> Block:
    """Does a task."""
    return make_block(task.split, good_rows(task.verdicts, task.inside))


def make_block(split: str, rows: Sequence[Row]) -> Block:
    """Makes a block of rows, at least one."""
    lines = b"".join(map(cut_line, rows))
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(lines) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Block(split, lines, packed, encode_rows(rows), add_up(rows))


def add_up(rows: Sequence[Row]) -> Sums:
    """Adds up rows."""
    return Sums(
        len(rows),
        sum(row.duration for row in rows),
        frozenset(row.speaker for row in rows if row.speaker is not None),
        frozenset(row.sample_rate for row in rows),
    )


def good_rows(verdicts: bytes, inside: str = "") -> list[Row]:
    """Returns the rows of verdicts that are all good; audio paths that begin with `inside` go on without it."""
    rows = []
    for verdict in map(orjson.loads, verdicts.splitlines()):
        fields = verdict[_ROW]
        fields[_AUDIO] = fields[_AUDIO].removeprefix(inside)
        rows.append(Row._make(fields))
    return rows
