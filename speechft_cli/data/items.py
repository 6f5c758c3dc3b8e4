"""What a corpus reader found in the form that travels between processes: rows with absolute paths."""

from __future__ import annotations

import os
from pathlib import Path

from speechft_cli.data.corpus import Found, Rejected
from speechft_cli.data.utterances import row_of
from speechft_cli.data.verdicts import Bad, Item


def as_item(found: Found) -> Item:
    """Returns what a reader found in the form that travels; paths become absolute."""
    audio = absolute((found if isinstance(found, Rejected) else found[1]).audio)
    if isinstance(found, Rejected):
        return Bad(found.split, found.id, audio, found.reason, found.detail, found.by_rule)
    split, utterance = found
    return split, row_of(utterance, audio)


def absolute(path: Path) -> str:
    """Returns a path as text, absolute and without `..`; links are not followed."""
    text = str(path)
    if path.is_absolute() and ".." not in text:
        return text  # a Path has no `.` and no empty part, and nothing else would change
    return os.path.abspath(text)  # noqa: PTH100  # Path.absolute keeps `..`


def join_path(folder: str, path: str) -> str:
    """Returns a path that may be relative to a folder in the form of `absolute`, in a fifth of a Path's time."""
    joined = path if path.startswith("/") else f"{folder}/{path}"
    # whatever could be written more simply: empty parts, `.`, `..`
    return absolute(Path(joined)) if "//" in joined or "/." in joined or joined.endswith("/") else joined
