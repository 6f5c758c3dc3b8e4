"""Config values as YAML text that a person wants to read and `load_config` reads back."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.dotted import put
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.base import docstrings, section_of
from speechft_cli.config.source import YamlLoader


def inline(value: object) -> str:
    """Writes a value that is no mapping in one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, Decimal):
        return alpha_name(value)
    if isinstance(value, str | Path):
        text = str(value)
        return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)
    return json.dumps(value)


def lines(tree: Mapping[str, object], *, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yields (dotted key, line of YAML) for every key of a tree, depth first; `above` are the keys around it."""
    for name, value in tree.items():
        path = (*above, str(name))
        label = f"{'  ' * len(above)}{inline(str(name))}:"
        if isinstance(value, Mapping) and value:
            yield ".".join(path), label
            yield from lines(value, above=path)
        else:
            yield ".".join(path), f"{label} {'{}' if isinstance(value, Mapping) else inline(value)}"


def as_tree(answers: Mapping[str, object]) -> dict[str, object]:
    """Puts dotted keys into their sections, in the order of the config; None values are left out."""
    tree: dict[str, object] = {}
    for key in sorted(answers, key=lambda key: list(Config.model_fields).index(key.partition(".")[0])):
        if answers[key] is not None:
            put(tree, key, answers[key])
    return tree


def as_answers(tree: Mapping[str, object]) -> dict[str, object]:
    """Names every key of a file by its dots, as deep as sections go; what `as_tree` puts together again."""

    def walk(node: Mapping[str, object], model: type[BaseModel], above: str) -> Iterator[tuple[str, object]]:
        for name, value in node.items():
            field = model.model_fields.get(name)
            section = None if field is None else section_of(field)
            if section is not None and isinstance(value, Mapping):
                yield from walk(value, section, f"{above}{name}.")
            else:
                yield f"{above}{name}", value

    return dict(walk(tree, Config, ""))


def explained(tree: Mapping[str, object]) -> str:
    """Writes a tree with every section's and field's own docstring above it."""
    text: list[str] = []
    for key, line in lines(tree):
        indent = line[: len(line) - len(line.lstrip())]
        if text and not indent:
            text.append("")
        text += textwrap.wrap(
            describe(key), 79, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
        )
        text.append(line)
    return "\n".join(text) + "\n"


def describe(key: str) -> str:
    """Returns the docstring of the section or field with this dotted key; empty for a key inside a value."""
    model: type[BaseModel] = Config
    field: FieldInfo | None = None
    for part in key.split("."):
        if field is not None:
            section = section_of(field)
            if section is None:
                return ""
            model = section
        field = model.model_fields.get(part)
        if field is None:
            return ""
    section = section_of(field) if field is not None else None
    text = section.__doc__ if section is not None else docstrings(model).get(part, "")
    return " ".join((text or "").split())


def _is_plain(text: str) -> bool:
    """Whether the loader reads the bare text back as itself, in a list too."""
    try:
        return bool(yaml.load(f"[{text}]", YamlLoader) == [text] and yaml.load(f"a: {text}", YamlLoader) == {"a": text})
    except yaml.YAMLError:
        return False
