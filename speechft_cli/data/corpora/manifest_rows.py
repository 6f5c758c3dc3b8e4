"""The lines of a recording list, as JSON or as a table, before anybody asks what their fields mean."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import orjson

from speechft_cli.data.corpora.manifest_line import FIELDS
from speechft_cli.errors import RequestError

#: Of cells; a spreadsheet writes semicolons where numbers have a decimal comma.
_SEPARATORS = ",;\t"
_KNOWN = frozenset(name for names in FIELDS.values() for name in names)
#: As Python's own json writes what is absent in pandas.
_NAN = re.compile(rb"[:,\[]\s*NaN\b")
_SHOWN = 40  # characters of a wrong line

#: The number of a line, and its fields or what is wrong with it.
NumberedRow = tuple[int, Mapping[str, object] | str]


def json_rows(path: Path) -> Iterator[NumberedRow]:
    """Yields the objects of a file that has one in each line.

    Raises:
        RequestError: It is one document.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if number == 1 and text.lstrip()[:1] == b"[":
                raise RequestError(
                    f"{path}: must have a JSON object a line, is one array of them",
                    "jq -c '.[]' makes lines of it; in pandas to_json(FILE, orient='records', lines=True) does",
                )
            if text.strip():
                yield number, _parse(text)


def _parse(text: bytes) -> Mapping[str, object] | str:
    try:
        row = orjson.loads(text)
    except ValueError as error:
        text.decode()  # another kind of file altogether
        return "must be JSON, which has null for NaN" if _NAN.search(text) else f"must be JSON: {error}"
    if isinstance(row, dict):
        return row
    return f"must be a JSON object, got {text.strip().decode()[:_SHOWN]}"


def table_rows(path: Path) -> Iterator[NumberedRow]:
    """Yields the rows below a header.

    Raises:
        RequestError: The header names no recording.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        rows = _cells(file, max(_SEPARATORS, key=first.count))
        number, written = next(rows, (1, []))
        if isinstance(written, str):
            yield number, written
            return
        header = [_column(name) for name in written]
        if header and not set(header) & set(FIELDS["audio"]):
            raise RequestError(
                f"{path}:1: must have one of the columns {', '.join(FIELDS['audio'])}, has {', '.join(written)}",
                "the first line names the columns; docs/corpora.md says which names they may have",
            )
        for number, row in rows:
            if isinstance(row, str):
                yield number, row
            elif len(row) == len(header):
                fields = dict(zip(header, row, strict=True))
                fields.pop("", None)  # pandas' row numbers, and separators at the ends of lines
                yield number, fields
            else:
                yield number, f"must have {len(header)} cells like the header, has {len(row)}"


def _column(name: str) -> str:
    """Returns a column's name; a field of ours may be written `Text`, a label stays as it is."""
    name = name.strip()
    return name.lower() if name.lower() in _KNOWN else name


def _cells(file: TextIO, separator: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yields (line number, cells or what is wrong); rows without content, as spreadsheets leave them, are left out."""
    if separator == "\t":
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, [_unquoted(cell) for cell in line.rstrip("\r\n").split("\t")]
        return
    reader = csv.reader(file, delimiter=separator, strict=True)
    begun = 1
    try:
        for cells in reader:
            if any(cells):
                yield reader.line_num, cells
            begun = reader.line_num + 1
    except csv.Error as error:
        yield begun, f'must have a " at both ends of a cell or at none, and "" for one within: {error}'


def _unquoted(cell: str) -> str:
    """Returns the text of a cell between tabs: quotes around it go, as spreadsheets and pandas write them.

    In many such lists a quote is a letter of the text, which nothing need close.
    """
    inner = cell[1:-1].replace('""', "")
    return (
        cell[1:-1].replace('""', '"') if cell[:1] == cell[-1:] == '"' and len(cell) > 1 and '"' not in inner else cell
    )
