"""docs/config.md, made from the config model: `python -m tests.config_page` writes it, a test holds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.base import docstrings, kinds_of, section_of

PAGE = Path(__file__).parents[1] / "docs" / "config.md"
_HEAD = """# Every key of the YAML

One file serves every command; each reads the section of its name, and what it needs of the others. All is optional,
and relative paths are relative to the file. `speechft init` writes a commented file with what matters, `speechft
config show -c FILE` says what a file comes to, `speechft config schema` is this page for editors and programs. On a
command line any key is `--set`, as in `--set finetune.steps=1000`.
"""


def config_page() -> str:
    """Returns the page: a table of the keys of each section, with default and meaning."""
    return _HEAD + _table("", Config) + "".join(_table(name, each) for name, each in _sections(Config, ""))


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield f"{prefix}{name}", section
            yield from _sections(section, f"{prefix}{name}.")


def _table(name: str, section: type[BaseModel]) -> str:
    lines = [f"\n## `{name}`\n" if name else "", "| key | default | is |", "|---|---|---|"]
    said = docstrings(section)
    for key, field in section.model_fields.items():
        if section_of(field) is None:
            value = field.get_default(call_default_factory=True)
            default = "must be given" if field.is_required() else _default(value)
            lines.append(
                f"| `{key}` | {default} | {' '.join(said[key].split())}{_choice(field.annotation, said[key])} |"
            )
    return "\n".join(lines) + "\n"


def _choice(annotation: object, said: str) -> str:
    """Says which values there are, where the meaning does not."""
    names = [name for kind in kinds_of(annotation) if get_origin(kind) is Literal for name in get_args(kind)]
    return "" if all(name in said for name in names) else f" `{'`, `'.join(names[:-1])}` or `{names[-1]}`."


def _default(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else ", ".join(value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    PAGE.write_text(config_page(), encoding="utf-8")
