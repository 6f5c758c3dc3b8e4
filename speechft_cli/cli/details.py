"""What `speechft list GROUP NAME` says of one name: its docstring, its parameters, an example."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from speechft_cli.cli.names import registry
from speechft_cli.data.corpus import Corpus
from speechft_cli.tasks import TASKS, probed_tasks
from speechft_cli.tasks.presets.base import Preset

_EXAMPLES = {
    "encoders": "speechft finetune --encoder CHECKPOINT --family {name} --data data --task asr --out run",
    "formats": "speechft convert CHECKPOINT --format {name} --out converted",
    "probes": "speechft evaluate --model base=CHECKPOINT --data data --task {name} --out report",
    "tasks": "speechft finetune --encoder CHECKPOINT --data data --task {name} --out run",
    "strategies": "speechft finetune --encoder CHECKPOINT --data data --strategy {name} --out run",
    "corpora": "speechft prepare {name} --root {root} --out data",
    "methods": "speechft merge --base BASE {models} --method {name} --alphas 0:1:0.25 --out merged",
    "presets": "speechft evaluate -c speechft.yaml --preset {name}",
    "scores": "speechft evaluate -c speechft.yaml --set evaluate.score={name}",
}


#: Facts of a name that are worth a line: attribute → what it is called.
_FACTS = {
    "encoders": {
        "sizes": "sizes",
        "published": "checkpoints by name",
        "cnn_prefixes": "never trained",
        "kept_prefixes": "never merged",
    },
    "tasks": {"needs": "field of the manifest", "metrics": "scored by"},
    "corpora": {"licence": "licence", "language": "language"},
}


@dataclass(frozen=True)
class Details:
    """One name of a catalogue.

    Attributes:
        text: What its leaf file says, paragraph by paragraph.
        facts: What is worth a line of its own.
        parameters: Name → (default, what it means); empty where there are none.
        example: A command that uses it.
    """

    text: tuple[str, ...]
    facts: Mapping[str, str]
    parameters: Mapping[str, tuple[object, str]]
    example: str


def details(group: str, name: str) -> Details:
    """Imports what has this name in a catalogue, and reads its description.

    Raises:
        RequestError: The catalogue has no such name; the message gives the nearest one.
    """
    catalogue = registry(group)
    thing: object = catalogue.get(name)
    module = sys.modules[catalogue.entry(name).target.partition(":")[0]]
    kind = thing if isinstance(thing, type) else type(thing)
    # frozen facts are explained by their file, what has a class of its own by that
    documented = kind if kind.__module__ == module.__name__ else module
    paragraphs = [" ".join(each.split()) for each in _docstrings(group, documented, thing).split("\n\n")]
    facts = {title: _shown(getattr(thing, key)) for key, title in _FACTS.get(group, {}).items()}
    if isinstance(thing, Corpus):
        facts["download"] = _download(thing)
    if isinstance(thing, Preset):
        facts = {task: thing.plan(TASKS.get(task)).text() for task in thing.tasks or probed_tasks()}
    return Details(
        text=tuple(each for each in paragraphs if not each.startswith(("Attributes:", "Raises:", "Source:"))),
        facts={title: fact for title, fact in facts.items() if fact},
        parameters=_parameters(kind),
        example=_example(group, name, thing),
    )


def _download(corpus: Corpus) -> str:
    """How the corpus comes to a disk."""
    if not corpus.archives:
        return f"by hand, from {corpus.page}" if corpus.page else ""
    parts = [archive.part for archive in corpus.archives if archive.part]
    default = [archive.part for archive in corpus.archives if archive.part and archive.is_default]
    if not parts:
        return "--download fetches it into the folder of --root"
    return (
        f"--download fetches into the folder of --root the parts that --splits names, of {', '.join(parts)}; "
        f"by default {', '.join(default)}"
    )


def _docstrings(group: str, documented: object, thing: object) -> str:
    """Returns what describes a thing: for a corpus also what its reader does, for a strategy what it makes."""
    if isinstance(thing, Preset):
        return thing.text
    more = {"corpora": getattr(thing, "read", None), "strategies": thing}
    described = [documented, *([more[group]] if group in more else [])]
    return "\n\n".join(inspect.getdoc(each) or "" for each in described)


def _example(group: str, name: str, thing: object) -> str:
    template = _EXAMPLES[group if getattr(thing, "is_trained", True) else "probes"]
    root = "LIST.jsonl" if name == "manifest" else "FOLDER"
    example = template.format(name=name, models=_models(thing), root=root)
    return example if getattr(thing, "needs_root", True) else example.replace(f" --root {root}", "")


def _models(method: object) -> str:
    """The options that name the tuned models that a merge method needs, and what they are measured on."""
    statistic = getattr(method, "statistic", None)
    # a run has kept its head, and knows its data
    kind = "RUN" if statistic is not None and statistic.needs_labels else "TUNED"
    count = getattr(method, "fewest", 1)
    tuned = [f"--tuned {kind}{number}" for number in range(1, count + 1)] if count > 1 else [f"--tuned {kind}"]
    return " ".join([*tuned, *(["--data data"] if statistic is not None and kind != "RUN" else [])])


def _parameters(kind: type) -> dict[str, tuple[object, str]]:
    if not issubclass(kind, BaseModel):
        return {}
    return {
        field.alias or key: (field.get_default(call_default_factory=True), " ".join((field.description or "").split()))
        for key, field in kind.model_fields.items()
    }


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    items = value if isinstance(value, Iterable) else ()
    return ", ".join(str(getattr(item, "title", "")) if not isinstance(item, str) else item for item in items)
