"""One question of the wizard, and how typed text becomes a value of the file, and a value typed text again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from speechft_cli.cli.commands.evaluate import label_models
from speechft_cli.cli.options import read_labels
from speechft_cli.cli.wizard.findings import Proposal
from speechft_cli.cli.wizard.kinds import Kind
from speechft_cli.cli.yaml_text import inline
from speechft_cli.config.source import YamlLoader
from speechft_cli.errors import RequestError

#: Dotted key → value, of the answers so far.
Answers = Mapping[str, object]
#: What answers a question for a path where there is none.
NONE = "none"


def read_value(text: str) -> object:
    """Reads typed text as YAML.

    Raises:
        RequestError: It is none, such as a list whose end is missing.
    """
    try:
        return yaml.load(text, YamlLoader)
    except yaml.YAMLError:
        raise RequestError(f"must be a value of YAML, got {text!r}") from None


def read_list(text: str) -> object:
    """Reads names separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_paths(text: str) -> object:
    """Reads paths separated by commas."""
    return [path_of(part) for part in text.split(",") if part.strip()]


def read_models(text: str) -> object:
    """Reads LABEL=PATH separated by commas."""
    parts = [path_of(part) for part in text.split(",") if part.strip()]
    return {label: str(path) for label, path in label_models(parts).items()}


def read_fields(text: str) -> object:
    """Reads TASK=FIELD separated by commas."""
    return read_labels(text.split(","))


def path_of(text: str) -> str:
    """Reads a path, also as a terminal types it for what is dropped on it: quoted or escaped, with a blank behind."""
    try:
        words = shlex.split(text)
    except ValueError:  # one quotation mark, which is the path's own
        words = []
    return words[0] if len(words) == 1 else text.strip()


def read_path(text: str) -> object:
    """Reads a path, or none."""
    return None if text.strip() in ("", NONE) else path_of(text)


def typed(value: object) -> str:
    """Writes a value of a file as it would be typed."""
    if isinstance(value, Mapping):
        return ",".join(f"{label}={each}" for label, each in value.items())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return NONE if value is None else value if isinstance(value, str) else inline(value)


def _always(answers: Answers) -> bool:
    del answers
    return True


@dataclass(frozen=True)
class Question:
    """One question of the wizard.

    Attributes:
        key: Dotted config key of the answer.
        prompt: The question.
        default: What Enter answers, as it would be typed.
        why: Why it is asked, in one line.
        kinds: The kinds of file that ask it.
        when: Whether to ask it, given the answers so far.
        choices: Answers so far → the names there are, each with what it is; empty for a typed answer. A single one
            is taken without asking.
        read: Typed text, or the chosen name, → value.
        takes_several: Whether several choices may be made; `read` then gets them joined by commas.
        old: Value of an older file → what Enter answers then.
        propose: Answers so far, folder that relative paths start from → a better default, with what was seen; None
            when nothing was found out.
    """

    key: str
    prompt: str
    default: str
    why: str
    kinds: frozenset[Kind]
    when: Callable[[Answers], bool] = _always
    choices: Callable[[Answers], Mapping[str, str]] = lambda *_: {}
    read: Callable[[str], object] = read_value
    takes_several: bool = False
    old: Callable[[object], str] = typed
    propose: Callable[[Answers, Path], Proposal | None] = lambda *_: None
