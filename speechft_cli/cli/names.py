"""The names a config may use, looked up in the catalogues without importing what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from speechft_cli.registry import Entry, Registry, unknown_name

GROUPS = {
    "encoder.family": "encoders",
    "prepare.corpus": "corpora",
    "prepare.task": "tasks",
    "finetune.task": "tasks",
    "finetune.tasks": "tasks",
    "finetune.labels": "tasks",
    "finetune.strategy": "strategies",
    "merge.method": "methods",
    "merge.formats": "formats",
    "evaluate.tasks": "tasks",
    "evaluate.target": "tasks",
    "evaluate.preset": "presets",
    "evaluate.score": "scores",
}
"""Dotted key → the catalogue its value, or each of its values, must be in."""


GRIDS = ("0.25", "0:1:0.25", "0:1:0.1", "0:1:0.05")
"""Alphas to begin with."""


def registry(group: str) -> Registry[Any]:
    """Returns a catalogue: encoders, formats, tasks, presets, strategies, corpora, methods or scores."""
    if group == "encoders":
        from speechft_cli.encoders import ENCODERS

        return ENCODERS
    if group == "formats":
        from speechft_cli.encoders import FORMATS

        return FORMATS
    if group == "tasks":
        from speechft_cli.tasks import TASKS

        return TASKS
    if group == "strategies":
        from speechft_cli.training.strategies import STRATEGIES

        return STRATEGIES
    if group == "corpora":
        from speechft_cli.data import CORPORA

        return CORPORA
    if group == "presets":
        from speechft_cli.tasks.presets import PRESETS

        return PRESETS
    if group == "scores":
        from speechft_cli.reporting.superb import CONSTANTS

        return CONSTANTS
    from speechft_cli.merging import METHODS

    return METHODS


def entries(group: str) -> dict[str, Entry]:
    """Returns the lines of a catalogue."""
    catalogue = registry(group)
    return {name: catalogue.entry(name) for name in catalogue}


def completer(group: str) -> Callable[[str], list[str]]:
    """Returns what the shell asks for the names of a catalogue that go on from what is typed."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in registry(group) if name.startswith(incomplete)]

    return complete


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Returns what the shell asks for a few words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def complete_model(incomplete: str) -> list[str]:
    """Returns what may be evaluated and has a name, behind a label if there is one."""
    label, separator, name = incomplete.rpartition("=")
    return [
        f"{label}{separator}{each}"
        for each in ("logmel", "fbank", "random:", *complete_encoder(""))
        if each.startswith(name)
    ]


def complete_filter(incomplete: str) -> list[str]:
    """Returns the tensors that have a name among merge's filters, to be followed by a scale."""
    from speechft_cli.merging.filters import PRESETS

    return [f"{name}=" for name in PRESETS if f"{name}=".startswith(incomplete)]


def complete_label(incomplete: str) -> list[str]:
    """Returns the tasks, to be followed by the field of the manifests that holds their target."""
    return [f"{name}=" for name in registry("tasks") if f"{name}=".startswith(incomplete)]


def complete_encoder(incomplete: str) -> list[str]:
    """Returns the encoders with a name that go on from what is typed; a shell completes paths by itself."""
    from speechft_cli.encoders.names import checkpoints

    return [name for name in checkpoints() if name.startswith(incomplete)]


def complete_template(incomplete: str) -> list[str]:
    """Returns the templates whose names go on from what is typed."""
    from speechft_cli.config.templates import template_names

    return [name for name in template_names() if name.startswith(incomplete)]


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
                yield (
                    key,
                    f"must be one name, got {name!r}; several have a flag each, or are a list in YAML",
                )
            else:
                yield key, unknown_name(name, registry(group))
