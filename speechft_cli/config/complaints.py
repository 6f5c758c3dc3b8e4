"""What pydantic finds wrong with a value, in the words of our other messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

#: How the types of pydantic's errors begin → what the value must be.
_KINDS = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a finite number",
    "bool_": "true or false",
    "string_": "text",
    "path_": "a path",
    "list_": "a list, as in [a, b]",
    "too_short": "a list with at least one item",
    "dict_": "a mapping of names to values, as in {a: b}",
    "model_": "a section with keys of its own",
}


def complaint(error: ErrorDetails) -> str:
    """Returns what the value must be, and what it is."""
    if error["type"] == "value_error":  # one of our own validators, which says what it got
        return error["msg"].removeprefix("Value error, ")
    kind = next((said for types, said in _KINDS.items() if error["type"].startswith(types)), None)
    message = f"must be {kind}" if kind else error["msg"].replace("Input should be", "must be")
    got = error["input"]
    if isinstance(got, Path):
        got = str(got)
    elif isinstance(got, list | tuple):
        got = [str(each) if isinstance(each, Path) else each for each in got]
    return f"{message[0].lower()}{message[1:]}, got {got!r}"
