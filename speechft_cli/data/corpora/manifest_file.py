"""Any JSONL or CSV list of recordings; audio paths are relative to its folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from speechft_cli.data.corpora.manifest_line import Line, parse_line
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.utterance import SPLIT_NAMES
from speechft_cli.errors import RequestError

_LISTED = 10  # problems named one by one; the rest is counted
_NAMES = ("manifest.jsonl", "manifest.csv")


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads a list of recordings; `manifest_line` says which fields it knows."""
    path = _find_list(request.root)
    splits = request.splits
    names = {value: split for split, values in splits.items() for value in values} or SPLIT_NAMES
    lines = _parse(path, may_have_any_split=bool(splits))
    there = sorted({line.split for line in lines})
    if missing := [value for value in names if splits and value not in there]:
        raise RequestError(
            f"{path}: must have the splits {', '.join(missing)}, has {', '.join(there)}",
            "prepare.splits names values of the field 'split'",
        )
    for line in lines:
        if line.split in names:
            yield names[line.split], line.utterance


MANIFEST_FILE = Corpus(read)


def _find_list(root: Path) -> Path:
    if root.is_file():
        return root
    for name in _NAMES:
        if (root / name).is_file():
            return root / name
    raise RequestError(f"{root}: must be a .jsonl or .csv file, or hold {' or '.join(_NAMES)}, has neither")


def _parse(path: Path, *, may_have_any_split: bool) -> list[Line]:
    """Returns the lines of a list.

    Raises:
        RequestError: Some lines are wrong, or there is none; the message has file and line of each problem.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: must be a UTF-8 text file: {error}") from error
    lines, problems = [], []
    for number, row in _csv_rows(text) if path.suffix.lower() == ".csv" else _json_rows(text):
        try:
            if isinstance(row, str):
                raise ValueError(row)
            line = parse_line(row, path.parent)
            if line.split not in SPLIT_NAMES and not may_have_any_split:
                raise ValueError(f"split: must be one of {', '.join(SPLIT_NAMES)}, got {line.split!r}")
            lines.append(line)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        more = [f"… and {len(problems) - _LISTED} more lines"] if len(problems) > _LISTED else []
        raise RequestError("\n".join(problems[:_LISTED] + more), "correct the lines; nothing was written")
    if not lines:
        raise RequestError(f"{path}: must list at least one recording, is empty")
    return lines


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """Yields (line number, fields or what is wrong)."""
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines would also split at U+2028 inside a text
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                yield number, f"must be JSON: {error}"
                continue
            yield number, row if isinstance(row, dict) else f"must be a JSON object, got {line.strip()[:40]}"


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, object] | str]]:
    """Yields (line number, fields or what is wrong)."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    for row in reader:
        if len(row) == len(header):
            yield reader.line_num, dict(zip(header, row, strict=True))
        elif row:
            yield reader.line_num, f"must have {len(header)} cells like the header, has {len(row)}"
