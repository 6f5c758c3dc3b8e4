"""YAML text → plain data and the line of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from speechft_cli.errors import ConfigError


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: `file` with path and line, `--set` or `flag`."""

    kind: str
    path: Path | None = None
    line: int = 0

    def __str__(self) -> str:
        return self.kind if self.path is None else f"{self.path}:{self.line}"


_SYNTAX = "look for a missing bracket, colon or quote at that line, or above it"


class YamlLoader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's plain scalars.

    In YAML 1.1, which PyYAML reads, `1e-4` is a string, `0:1:0.25` is the number 60.25 and `no` is false.
    """


YamlLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    YamlLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def read_set(text: str) -> tuple[str, object]:
    """Reads `a.b=value` as a dotted key and a YAML value.

    Raises:
        ValueError: It is something else.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ValueError(f"--set: must be KEY=VALUE, got {text!r}; for example --set finetune.steps=1000")
    try:
        return key, yaml.load(value, YamlLoader)
    except yaml.YAMLError:
        raise ValueError(f"--set {key}: must be a YAML value such as 3, [1, 2] or 'a text', got {value!r}") from None


def read_yaml(path: Path) -> tuple[dict[str, object], dict[str, int]]:
    """Reads a YAML file that holds a mapping.

    Args:
        path: The file.

    Returns:
        The plain data, and the line (from 1) of every dotted key; mappings in a list are keys by their numbers.

    Raises:
        ConfigError: It can't be read, is no YAML, is no mapping, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: must be a file, but there is none"], "speechft init writes one") from None
    except UnicodeDecodeError:
        raise ConfigError(
            [f"{path}: must be a YAML file, is no text in UTF-8"],
            "-c takes a config; checkpoints have flags of their own",
        ) from None
    except OSError as error:
        raise ConfigError(
            [f"{path}: must be a YAML file, can't be read: {error.strerror}"], "speechft init writes one"
        ) from error
    loader = YamlLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(
                [f"{path}:1: must be a mapping of keys to values"], "speechft init writes one to start from"
            )
        lines: dict[str, int] = {}
        problems: list[str] = []
        _walk(node, "", path, lines, problems)
        if problems:
            raise ConfigError(problems, "correct the lines named")
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        hint = "YAML indents with spaces, not with tabs" if "\\t" in str(error.problem) else _SYNTAX
        raise ConfigError([f"{path}:{line}: is no YAML: {error.problem}"], hint) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: is no YAML: {error}"], _SYNTAX) from error
    finally:
        loader.dispose()
    return data, lines


def _walk(node: yaml.MappingNode, prefix: str, path: Path, lines: dict[str, int], problems: list[str]) -> None:
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(f"{path}:{line}: a key must be a name")
            continue
        key = f"{prefix}{key_node.value}"
        if key in lines:
            problems.append(f"{path}:{line}: {key}: must be said once, but is also in line {lines[key]}")
        lines[key] = line
        if isinstance(value_node, yaml.MappingNode):
            _walk(value_node, f"{key}.", path, lines, problems)
        elif isinstance(value_node, yaml.SequenceNode):
            for number, item in enumerate(value_node.value):
                if isinstance(item, yaml.MappingNode):
                    lines[f"{key}.{number}"] = item.start_mark.line + 1
                    _walk(item, f"{key}.{number}.", path, lines, problems)
