"""What an editor knows of a config file: a JSON Schema with the catalogues' names, beside every YAML file we write.

A YAML language server (VS Code's YAML extension, neovim, Emacs) reads the first line of the file and then completes,
explains and checks keys and names as they are typed, offline.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from speechft_cli.cli.names import GROUPS, registry
from speechft_cli.errors import RequestError

SCHEMA_FILE = "speechft.schema.json"
HEADER = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
_TITLE = "speechft config"


def config_schema() -> dict[str, Any]:
    """Returns the JSON Schema of a config file."""
    from speechft_cli.config.schema import Config

    schema = Config.model_json_schema()
    for key, group in GROUPS.items():
        section, field = key.split(".")
        _name(schema["$defs"][f"{section.capitalize()}Section"]["properties"][field], list(registry(group)))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": _TITLE}


def require_new(path: Path, *, force: bool) -> None:
    """Makes sure that a config file may be written.

    Raises:
        RequestError: There is such a file, which nobody has allowed to overwrite; or a folder.
    """
    if path.is_dir():
        raise RequestError(f"{path}: must be a file, is a folder", f"-o {shlex.quote(str(path / 'speechft.yaml'))}")
    if path.exists() and not force:
        raise RequestError(f"{path}: must not exist, but does", "--force overwrites it, -o writes another file")


def write_config(path: Path, text: str) -> None:
    """Writes a config file, and the schema that its first line names beside it.

    Raises:
        RequestError: Something else has the schema's name.
    """
    from speechft_cli.io.atomic import write_text
    from speechft_cli.io.records import read_json

    beside = path.parent / SCHEMA_FILE
    if beside.exists() and read_json(beside).get("title") != _TITLE:
        raise RequestError(
            f"{beside}: must be the schema that speechft writes, got another file",
            "rename it, or choose another folder with -o",
        )
    write_text(beside, schema_text())
    write_text(path, HEADER + text)


def schema_text() -> str:
    """Returns the schema as it is written."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def _name(node: dict[str, Any], names: list[str]) -> None:
    """Lists the names wherever a schema says `string`: itself, its items, its forms, or the names of its keys."""
    if node.get("type") == "string":
        node["enum"] = names
    if node.get("type") == "object":
        node["propertyNames"] = {"enum": names}
    for inner in (node.get("items"), *node.get("anyOf", [])):
        if inner is not None:
            _name(inner, names)
