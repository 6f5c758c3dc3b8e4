"""Any JSONL, CSV or TSV list of recordings; audio paths are relative to its folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.columns import Row
from speechft_cli.data.corpora.manifest_line import parse_line
from speechft_cli.data.corpora.manifest_rows import json_rows, table_rows
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.utterance import SPLIT_NAMES
from speechft_cli.data.utterances import utterance_of
from speechft_cli.errors import RequestError

_LISTED = 10  # problems named one by one; the rest is counted
_NAMES = ("manifest.jsonl", "manifest.csv")
_TABLES = (".csv", ".tsv")
_SUFFIXES = (".jsonl", ".json", *_TABLES)
_EXAMPLE = """a line is for example: {"audio": "a.wav", "text": "HELLO", "speaker": "ann", "split": "train"}"""


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads one recording a line, as JSON or as cells below a header, with commas, semicolons or tabs between them.

    The fields, of which only `audio` must be there: `audio` (relative to the list), `start` and `duration` or `end`
    [s], `id`, `text`, `phones`, `speaker`, `language`, `licence`, `split` (train, dev or test). Any other with text or
    a whole number is a label; `split_sid` and its like are splits of single tasks.
    """
    yield from ((split, utterance_of(row, request.root)) for split, row in rows(request))


def rows(request: CorpusRequest) -> Iterator[tuple[str, Row]]:
    """Yields what `read` does as rows; `manifest_line` says which names the fields may have.

    Raises:
        RequestError: Some lines are wrong; the message has file and line of each problem.
    """
    path = _find_list(request.root)
    splits = request.splits
    names = {value: split for split, values in splits.items() for value in values} or SPLIT_NAMES
    there: set[str] = set()
    for split, row in _parse(path, may_have_any_split=bool(splits)):
        there.add(split)
        if split in names:
            yield names[split], row
    if not there:
        raise RequestError(f"{path}: must list at least one recording, is empty", _EXAMPLE)
    if missing := [value for value in names if splits and value not in there]:
        raise RequestError(
            f"{path}: must have the splits {', '.join(missing)}, has {', '.join(sorted(there))}",
            "prepare.splits names values of the field 'split'",
        )


MANIFEST_FILE = Corpus(read, rows)


def _find_list(root: Path) -> Path:
    if root.is_file():
        if root.suffix.lower() not in _SUFFIXES:
            raise RequestError(f"{root}: must be a {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]} file", _EXAMPLE)
        return root
    for name in _NAMES:
        if (root / name).is_file():
            return root / name
    lists = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _SUFFIXES)[:5]
    raise RequestError(
        f"{root}: must be a list of recordings, or hold {' or '.join(_NAMES)}, holds {', '.join(lists) or 'no list'}",
        f"--root {shlex.quote(str(root / lists[0]))}" if lists else _EXAMPLE,
    )


def _parse(path: Path, *, may_have_any_split: bool) -> Iterator[tuple[str, Row]]:
    """Yields the lines of a list; from the first wrong one on it only looks for others.

    Raises:
        RequestError: Some lines are wrong.
    """
    problems: list[str] = []
    more = 0
    folder = str(path.parent.absolute())
    try:
        for number, row in table_rows(path) if path.suffix.lower() in _TABLES else json_rows(path):
            try:
                if isinstance(row, str):
                    raise ValueError(row)
                split, parsed = parse_line(row, folder)
                if not may_have_any_split:
                    split = split.lower()
                if split not in SPLIT_NAMES and not may_have_any_split:
                    raise ValueError(
                        f"split: must be one of {', '.join(SPLIT_NAMES)}, or be named by --splits, got {split!r}"
                    )
            except ValueError as error:
                if len(problems) < _LISTED:
                    problems.append(f"{path}:{number}: {error}")
                else:
                    more += 1
                continue
            if not problems:
                yield split, parsed
    except (OSError, UnicodeDecodeError) as error:
        reason = "is something else" if isinstance(error, UnicodeDecodeError) else error
        raise RequestError(
            f"{path}: must be a UTF-8 text file: {reason}",
            "--root names a list of recordings; spreadsheets call UTF-8 a way to save CSV",
        ) from error
    if problems:
        rest = [f"… and {more} more lines"] if more else []
        raise RequestError("\n".join(problems + rest), "correct the lines; nothing was written")
