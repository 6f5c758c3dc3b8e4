"""What `speechft init` is told in advance: answers of a file and of --set, and an older config file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechft_cli.cli.names import unknown_names
from speechft_cli.cli.wizard.kinds import Kind
from speechft_cli.cli.wizard.questions import QUESTIONS
from speechft_cli.cli.yaml_text import as_answers
from speechft_cli.config.load import anchor_paths, load_config
from speechft_cli.config.schema import Config
from speechft_cli.config.source import read_set, read_yaml
from speechft_cli.errors import RequestError


@dataclass(frozen=True)
class Given:
    """What needs no question.

    Attributes:
        answers: Dotted key → value.
        places: Dotted key → where it was given.
        old: Dotted key → value of an older file, which is asked about again.
    """

    answers: Mapping[str, object] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    old: Mapping[str, object] = field(default_factory=dict)


def read_given(path: Path | None, sets: Sequence[str]) -> Given:
    """Reads the answers given in advance.

    Args:
        path: A YAML file of dotted keys and values, or of sections.
        sets: `a.b=value` strings.

    Raises:
        ConfigError: The file can't be read.
        RequestError: A string is something else.
    """
    answers: dict[str, object] = {}
    places: dict[str, str] = {}
    if path is not None:
        tree, lines = read_yaml(path)
        answers |= as_answers(tree)
        places |= {key: f"{path}:{lines.get(key, 1)}" for key in answers}
    for text in sets:
        try:
            key, value = read_set(text)
        except ValueError as error:
            raise RequestError(str(error)) from None
        answers[key], places[key] = value, "--set"
    return Given(answers, places)


def with_older(given: Given, tree: Mapping[str, object], kind: Kind) -> Given:
    """Adds an older file: what it says is asked about again, what no question is about is carried over.

    Args:
        given: What was given besides; it comes before the file.
        tree: The file.
        kind: Of file to write.
    """
    values = as_answers(tree)
    old: dict[str, object] = {}
    carried = dict(values)
    for question in QUESTIONS:
        if kind not in question.kinds or question.key in given.answers:
            continue
        section = question.key.rpartition(".")[0]
        if question.key not in values:
            if section.partition(".")[0] in tree:
                carried[question.key] = None  # the file leaves it to its default
            continue
        names = question.choices(values)
        if not names or set(question.old(values[question.key]).split(",")) <= set(names):
            old[question.key] = values[question.key]
            carried.pop(question.key, None)
    return Given({**carried, **given.answers}, given.places, old)


def read_older(path: Path, folder: Path) -> dict[str, object]:
    """Reads an older config file; its relative paths become absolute when the new one lies in another folder.

    Raises:
        ConfigError: It can't be read, or something in it is wrong.
    """
    load_config(path, check=unknown_names)
    tree, _ = read_yaml(path)
    if path.resolve().parent != folder.resolve():
        anchor_paths(tree, Config, path.resolve().parent)
    return tree


def kind_of(tree: Mapping[str, object]) -> Kind:
    """Tells what a config file is for by its sections."""
    tune = tree.get("finetune")
    if "prepare" in tree:
        return Kind.experiment
    if isinstance(tune, Mapping):
        return Kind.pretrain if tune.get("task") == "hubert" else Kind.finetune
    if "merge" in tree:
        return Kind.merge
    return Kind.evaluate if "evaluate" in tree else Kind.experiment
