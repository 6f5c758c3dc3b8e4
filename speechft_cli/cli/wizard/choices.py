"""What the wizard's questions offer: names of the catalogues, and what was found out by looking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from speechft_cli.cli.names import entries
from speechft_cli.cli.wizard.findings import (
    Encoder,
    Proposal,
    corpus_of,
    encoder_of,
    utterances_in,
    utterances_of,
)
from speechft_cli.cli.wizard.question import Answers, read_value, typed
from speechft_cli.config.load import anchored
from speechft_cli.data.utterance import field_in_words
from speechft_cli.encoders.names import SMALL
from speechft_cli.tasks import PROPOSED, probed_tasks

#: The corpus that needs no folder.
_GENERATED = "synthetic"
#: The corpus whose only label is the name of a folder, and the tasks that may take that for their classes.
_CLASS_FOLDERS = "folder"
_CLASSIFICATIONS = ("ks", "er", "ic", "sid")
_OF_FOLDERS = Proposal("ks", "Folders are classes, which ks takes whatever they are; they have no texts.")
#: What is proposed where everything is there.
_FIRST, _PROBED = "asr", ("sid", "pr")
#: Name → filters that give Transformer layers alphas of their own.
DEPTHS: Mapping[str, list[dict[str, object]]] = {
    "all": [],
    "shallow": [{"match": "layers", "scale": [0.25, 1]}],
    "deep": [{"match": "layers", "scale": [1, 0.25]}],
    "attention": [{"match": "attention", "scale": 1}, {"match": "*", "scale": 0}],
}


def summaries(group: str) -> Callable[[Answers], Mapping[str, str]]:
    """Offers every name of a catalogue."""
    return lambda *_: {name: entry.summary for name, entry in entries(group).items()}


def corpora(answers: Answers) -> Mapping[str, str]:
    """The corpora that lie on disk when a folder was named, else the one that is made."""
    has_root = answers.get("prepare.root") is not None
    known = summaries("corpora")(answers)
    return {name: summary for name, summary in known.items() if (name != _GENERATED) == has_root}


def trained_tasks(answers: Answers) -> Mapping[str, str]:
    """The tasks to fine-tune on: `qbe` trains nothing."""
    return {name: summary for name, summary in summaries("tasks")(answers).items() if name != "qbe"}


def probing_tasks(answers: Answers) -> Mapping[str, str]:
    """The tasks that a frozen encoder is scored on."""
    known = summaries("tasks")(answers)
    return {name: known[name] for name in probed_tasks()}


def task_of_data(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes a task that the recordings have targets for, where they have no texts."""
    if answers.get("prepare.corpus") == _CLASS_FOLDERS:
        return _OF_FOLDERS
    served = _served(answers, folder)
    if not served or served[0] == _FIRST:
        return None
    return Proposal(
        served[0], f"What lies there has no texts; {served[0]} takes {field_in_words(PROPOSED[served[0]])}."
    )


def probes_of_data(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes probing tasks that the recordings have targets for, first those that the encoder is not tuned on."""
    if answers.get("prepare.corpus") == _CLASS_FOLDERS:
        return _OF_FOLDERS
    served = sorted(_served(answers, folder), key=lambda name: (name == answers.get("finetune.task"), _rank(name)))
    if not served or served[:2] == list(_PROBED):
        return None
    return Proposal(",".join(served[:2]), "What lies there has what these need.")


def _rank(task: str) -> int:
    return _PROBED.index(task) if task in _PROBED else len(_PROBED)


def _served(answers: Answers, folder: Path) -> list[str]:
    """The tasks that the recordings have targets for; none where nothing can be looked at."""
    root, data = answers.get("prepare.root"), answers.get("finetune.data") or answers.get("evaluate.data")
    if root is not None:
        heard = utterances_of(str(answers.get("prepare.corpus")), anchored(str(root), folder))
    else:
        heard = [] if data is None else utterances_in(anchored(str(data), folder))
    return [task for task, field in PROPOSED.items() if any(each.target(field) is not None for each in heard)]


def labels_of_folders(key: str) -> Callable[[Answers], Mapping[str, str]]:
    """Offers the name of the folder as what the tasks under `key` learn, where that is all there is."""

    def offered(answers: Answers) -> Mapping[str, str]:
        tasks = answers.get(key)
        names = [tasks] if isinstance(tasks, str) else tasks if isinstance(tasks, list) else []
        fields = ",".join(f"{name}=label" for name in names if name in _CLASSIFICATIONS)
        is_needed = answers.get("prepare.corpus") == _CLASS_FOLDERS and fields
        return {fields: "the name of the folder"} if is_needed else {}

    return offered


def starts(answers: Answers) -> Mapping[str, str]:
    """Where an encoder may start."""
    del answers
    return {"checkpoint": "pre-trained weights: a file you have, or a name", "random": "random weights, no download"}


def read_start(text: str) -> object:
    """Reads where an encoder starts."""
    return None if text == "checkpoint" else text


def old_start(value: object) -> str:
    """Which start an older file has."""
    return "random" if value == "random" else "checkpoint"


def read_hours(text: str) -> object:
    """Reads hours; `all` keeps everything."""
    return None if text.strip() == "all" else read_value(text)


def old_hours(value: object) -> str:
    """Which hours an older file keeps."""
    return "all" if value is None else typed(value)


def is_random(answers: Answers) -> bool:
    """Whether the encoder starts from random weights."""
    return answers.get("encoder.init") == "random"


def is_pretrained(answers: Answers) -> bool:
    """Whether the encoder starts from a checkpoint."""
    return not is_random(answers)


def is_small(answers: Answers) -> bool:
    """Whether a laptop can train the encoder."""
    return is_random(answers) or answers.get("encoder.checkpoint") == SMALL


def is_large(answers: Answers) -> bool:
    """Whether training the encoder takes a GPU."""
    return not is_small(answers)


def start_given(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes a checkpoint where one is named already."""
    del folder
    path = answers.get("encoder.checkpoint")
    return None if path is None else Proposal("checkpoint", f"{path} was named.")


def family_of_checkpoint(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes the family that the checkpoint is of."""
    found = _encoder(answers, folder)
    return None if found is None else Proposal(found.family, found.text)


def layer_of_checkpoint(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes a hidden state three quarters up, where phonemes show best."""
    found = _encoder(answers, folder)
    if found is None or found.layers is None:
        return None
    return Proposal(str(found.layers * 3 // 4), f"It has {found.layers} layers; three quarters up phonemes show best.")


def corpus_in_root(answers: Answers, folder: Path) -> Proposal | None:
    """Proposes the corpus that lies in the folder named."""
    root = answers.get("prepare.root")
    if root is None:
        return Proposal(_GENERATED, "No folder was named.")
    return corpus_of(anchored(str(root), folder))


def depths(answers: Answers) -> Mapping[str, str]:
    """How the alpha may differ between the parts of the encoder."""
    del answers
    return {
        "all": "every tensor goes as far as alpha says",
        "shallow": "shallow layers stay near the base: a quarter of alpha at the first, all at the last",
        "deep": "deep layers stay near the base: all of alpha at the first, a quarter at the last",
        "attention": "only the attention moves",
    }


def read_depth(text: str) -> object:
    """Reads which parts move how far."""
    return DEPTHS[text] or None


def old_depth(value: object) -> str:
    """Which of these an older file has; another name where its filters are its own."""
    return next((name for name, filters in DEPTHS.items() if filters == (value or [])), "its own")


def _encoder(answers: Answers, folder: Path) -> Encoder | None:
    path = answers.get("encoder.checkpoint")
    return None if path is None else encoder_of(str(path), folder)
