"""Files of figures with a JSON object a line, such as scores.jsonl."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechft_cli.io.atomic import write_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_lines(path: Path, records: Iterable[DataclassInstance]) -> None:
    """Writes a file whole or not at all.

    Raises:
        SpeechftError: It can't be written.
    """
    write_text(path, "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in records))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a file; a line that is none is left out, and no file has none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for line in text.split("\n"):  # not splitlines: a name may hold one of Unicode's other ends of lines
        with contextlib.suppress(json.JSONDecodeError):
            values = json.loads(line)
            if isinstance(values, dict):
                yield values
