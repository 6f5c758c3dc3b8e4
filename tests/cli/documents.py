"""The published schemas of what `--json` prints: every document that a test makes is held against its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "docs" / "json"


def schema_name(arguments: Sequence[str]) -> str:
    """Which schema describes the document of a command line."""
    command, *rest = (argument for argument in arguments if not argument.startswith("-"))
    return f"{command}-{rest[0]}" if command in ("data", "config") else command


def check_document(arguments: Sequence[str], text: str) -> None:
    """Fails unless `text` is one JSON document that its schema describes."""
    schema = json.loads((SCHEMAS / f"{schema_name(arguments)}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(json.loads(text, parse_constant=_no_json))


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
