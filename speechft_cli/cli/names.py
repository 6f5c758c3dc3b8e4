"""The names a config may use, looked up in the catalogues without importing what they name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from speechft_cli.registry import Entry, Registry, unknown_name

#: Dotted key → the catalogue its value, each of its values, or each of its keys must be in.
GROUPS = {
    "encoder.family": "encoders",
    "prepare.corpus": "corpora",
    "prepare.task": "tasks",
    "finetune.task": "tasks",
    "finetune.tasks": "tasks",
    "finetune.labels": "tasks",
    "finetune.strategy": "strategies",
    "merge.method": "methods",
    "merge.greedy": "tasks",
    "merge.formats": "formats",
    "evaluate.tasks": "tasks",
    "evaluate.labels": "tasks",
    "evaluate.folds": "tasks",
    "evaluate.steps": "tasks",
    "evaluate.learning_rates": "tasks",
    "evaluate.target": "tasks",
    "evaluate.preset": "presets",
    "evaluate.score": "scores",
}
#: Alphas to begin with.
GRIDS = ("0.25", "0:1:0.25", "0:1:0.1", "0:1:0.05")
#: Name of a catalogue → `module:attribute`.
_CATALOGUES = {
    "encoders": "encoders:ENCODERS",
    "formats": "encoders:FORMATS",
    "tasks": "tasks:TASKS",
    "presets": "tasks.presets:PRESETS",
    "strategies": "training.strategies:STRATEGIES",
    "corpora": "data:CORPORA",
    "methods": "merging:METHODS",
    "scores": "reporting.superb:CONSTANTS",
}


def registry(group: str) -> Registry[Any]:
    """Returns a catalogue: encoders, formats, tasks, presets, strategies, corpora, methods or scores."""
    module, attribute = _CATALOGUES[group].split(":")
    return cast("Registry[Any]", getattr(importlib.import_module(f"speechft_cli.{module}"), attribute))


def entries(group: str) -> dict[str, Entry]:
    """Returns the lines of a catalogue."""
    catalogue = registry(group)
    return {name: catalogue.entry(name) for name in catalogue}


def _completer(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Returns what the shell asks for those of some words that go on from what is typed."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete


def completer(group: str) -> Callable[[str], list[str]]:
    """Returns what the shell asks for the names of a catalogue."""
    return _completer(lambda: registry(group))


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Returns what the shell asks for a few words."""
    return _completer(lambda: words)


def _encoders() -> Iterable[str]:
    from speechft_cli.encoders.names import checkpoints

    return checkpoints()


def _filters() -> Iterable[str]:
    from speechft_cli.merging.filters import PRESETS

    return (f"{name}=" for name in PRESETS)


def _templates() -> Iterable[str]:
    from speechft_cli.config.templates import template_names

    return template_names()


#: Encoders with a name; a shell completes paths by itself.
complete_encoder = _completer(_encoders)
#: The tensors that have a name among merge's filters, to be followed by a scale.
complete_filter = _completer(_filters)
#: The tasks, to be followed by the field of the manifests that holds their target.
complete_label = _completer(lambda: (f"{name}=" for name in registry("tasks")))
complete_template = _completer(_templates)


def complete_model(incomplete: str) -> list[str]:
    """Returns what may be evaluated and has a name, behind a label if there is one."""
    label, separator, name = incomplete.rpartition("=")
    words = one_of("logmel", "fbank", "random:", *_encoders())(name)
    return [f"{label}{separator}{word}" for word in words]


def unknown_names(tree: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields key and problem for every value of a config that must be a catalogue's name and is none.

    What is no text is left to the config model.
    """
    for key, group in GROUPS.items():
        section, _, field = key.partition(".")
        fields = tree.get(section)
        value = fields.get(field) if isinstance(fields, Mapping) else None
        for name in value if isinstance(value, list | dict) else [value]:
            if not isinstance(name, str) or name in registry(group):
                continue
            parts = [part.strip() for part in name.split(",")]
            if len(parts) > 1 and all(part in registry(group) for part in parts):
                yield key, f"must be one name, got {name!r}; several have a flag each, or are a list in YAML"
            else:
                yield key, unknown_name(name, registry(group))
