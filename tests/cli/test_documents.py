"""docs/json: a schema for every command that has `--json`. The fixture `speechft` holds each document against it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from speechft_cli.cli.app import imported_command
from speechft_cli.cli.commands import COMMANDS
from speechft_cli.cli.display.console import Talk
from tests.cli.documents import SCHEMAS, check_document

PAGE = SCHEMAS.with_suffix(".md")


def _documented() -> Iterator[str]:
    """The commands that have --json, as schemas are named."""
    for name in COMMANDS:
        command = imported_command(name)
        for inner, each in getattr(command, "commands", {"": command}).items():
            if any("--json" in parameter.opts for parameter in each.params):
                yield f"{name}-{inner}" if inner else name


def _properties(schema: dict[str, object]) -> Iterator[dict[str, object]]:
    """The properties of the document itself, of each form it may have."""
    for form in schema.get("anyOf", [schema]):  # type: ignore[attr-defined]
        yield from form.get("properties", {}).values()


def test_every_command_with_json_has_a_schema_and_nothing_else_has() -> None:
    assert sorted(_documented()) == sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir())


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.name)
def test_a_schema_is_one_and_explains_every_property(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert all(each.get("description") for each in _properties(schema))
    assert f"json/{path.name}" in PAGE.read_text(encoding="utf-8")


def test_a_document_with_a_key_that_no_schema_knows_is_refused() -> None:
    check_document(["config", "validate", "--json"], '{"valid": true, "problems": []}')
    with pytest.raises(ValidationError):
        check_document(["config", "validate", "--json"], '{"valid": true, "problems": [], "extra": 1}')


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    Talk().document({"scores": [{"value": math.nan, "values": (math.inf, 1.5)}], "output": "report.html"})
    document = json.loads(capsys.readouterr().out)
    assert document == {"scores": [{"value": None, "values": [None, 1.5]}], "output": "report.html"}
