"""Tables of results on a console: best cells marked for the eye and for a pipe, fitted to the screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from speechft_cli.events import Table

_GAP = "  "


@dataclass(frozen=True)
class _Column:
    """A column as it will be drawn: cells with their marks, all wrapped to `width`."""

    header: str
    cells: tuple[str, ...]
    best: frozenset[int]
    width: int
    is_number: bool

    @property
    def narrowest(self) -> int:
        """The width it can't go below: whole numbers, whole words."""
        cells = self.cells if self.is_number else [word for cell in self.cells for word in cell.split()]
        return max([1, *map(cell_len, cells), *map(cell_len, self.header.split())])


def draw(table: Table, width: int) -> Text:
    """Draws a table; when it is too wide, in several pieces that repeat the first column.

    Args:
        table: The table; its best cells get a `*` and bold type.
        width: Of the screen [characters]; only a word that is longer goes past it.
    """
    columns = [_column(table, number) for number in range(len(table.columns))]
    if _total(columns) > width:
        # numbers first: their headers wrap, and sentences keep the room that is left
        columns = [replace(each, width=each.narrowest) if each.is_number else each for each in columns]
    lines = [Text(table.title, style="bold")] if table.title else []
    for number, piece in enumerate(_pieces(columns, width)):
        lines += [Text()] if number else []
        lines += _draw_piece(piece)
    return Text("\n").join(lines)


def _column(table: Table, number: int) -> _Column:
    best = frozenset(row for row, column in table.best if column == number)
    cells = [row[number] for row in table.rows]
    if best:  # the space keeps the digits under each other
        cells = [f"{cell} *" if row in best else f"{cell}  " for row, cell in enumerate(cells)]
    header = table.columns[number]
    width = max([1, cell_len(header), *map(cell_len, cells)])
    is_number = number > 0 and all(cell.strip()[:1] in set("0123456789+-−–—.") for cell in cells if cell.strip())
    return _Column(header, tuple(cells), best, width, is_number)


def _pieces(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Yields the columns of each piece, always the first and then as many as fit."""
    piece = [columns[0]]
    for column in columns[1:]:
        fitted = _fitted(column, width - _total(piece) - len(_GAP))
        if _total([*piece, fitted]) > width and len(piece) > 1:
            yield piece
            piece = [columns[0]]
            fitted = _fitted(column, width - _total(piece) - len(_GAP))
        piece.append(fitted)
    yield piece


def _fitted(column: _Column, room: int) -> _Column:
    """Lets a sentence wrap into what is left, where its words fit there."""
    return replace(column, width=room) if not column.is_number and column.width > room >= column.narrowest else column


def _draw_piece(columns: Sequence[_Column]) -> Iterator[Text]:
    headers = [_wrap(column.header, column.width) for column in columns]
    height = max(map(len, headers))
    # a short header stands on the rule
    yield from _lines(columns, [[""] * (height - len(header)) + header for header in headers], [True] * len(columns))
    yield Text("─" * _total(columns))
    for row in range(len(columns[0].cells)):
        cells = [
            [column.cells[row]] if column.is_number else _wrap(column.cells[row], column.width) for column in columns
        ]
        yield from _lines(columns, cells, [row in column.best for column in columns])


def _lines(columns: Sequence[_Column], cells: Sequence[Sequence[str]], bold: Sequence[bool]) -> Iterator[Text]:
    for line in range(max(map(len, cells))):
        parts = []
        for column, cell, is_bold in zip(columns, cells, bold, strict=True):
            text = cell[line] if line < len(cell) else ""
            space = " " * (column.width - cell_len(text))
            styled = (text, "bold") if is_bold else text
            parts.append(Text.assemble(space, styled) if column.is_number else Text.assemble(styled, space))
        drawn = Text(_GAP).join(parts)
        drawn.rstrip()
        yield drawn


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)
