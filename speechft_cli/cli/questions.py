"""The wizard's questions as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from speechft_cli.cli.commands.evaluate import label_models
from speechft_cli.cli.findings import Proposal, batch_seconds, corpus_of, family_of
from speechft_cli.cli.kinds import Kind
from speechft_cli.cli.names import entries
from speechft_cli.config.source import YamlLoader

Answers = Mapping[str, object]

_NONE = "none"
#: The corpus that needs no folder.
_GENERATED = "synthetic"


def _value(text: str) -> object:
    return yaml.load(text, YamlLoader)


def _list(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


def _models(text: str) -> object:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return {label: str(path) for label, path in label_models(parts).items()}


def _path(text: str) -> object:
    return None if text.strip() in ("", _NONE) else text


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
    read: Callable[[str], object] = _value
    takes_several: bool = False
    propose: Callable[[Answers, Path], Proposal | None] = lambda *_: None


def _summaries(group: str) -> Callable[[Answers], Mapping[str, str]]:
    return lambda *_: {name: entry.summary for name, entry in entries(group).items()}


def _corpora(answers: Answers) -> Mapping[str, str]:
    """The corpora that lie on disk when a folder was named, else the one that is made."""
    has_root = answers.get("prepare.root") is not None
    known = _summaries("corpora")(answers)
    return {name: summary for name, summary in known.items() if (name != _GENERATED) == has_root}


def _trained_tasks(answers: Answers) -> Mapping[str, str]:
    """The tasks to fine-tune on: `qbe` trains nothing."""
    return {name: summary for name, summary in _summaries("tasks")(answers).items() if name != "qbe"}


def _probing_tasks(answers: Answers) -> Mapping[str, str]:
    """The tasks that probes are trained on: the units of `hubert` are made by fine-tuning, no manifest holds them."""
    return {name: summary for name, summary in _summaries("tasks")(answers).items() if name != "hubert"}


def _family_of_checkpoint(answers: Answers, folder: Path) -> Proposal | None:
    path = answers.get("encoder.checkpoint")
    return None if path is None else family_of(folder / str(path))


def _start_given(answers: Answers, folder: Path) -> Proposal | None:
    del folder
    path = answers.get("encoder.checkpoint")
    return None if path is None else Proposal("checkpoint", f"{path} was named.")


def _corpus_in_root(answers: Answers, folder: Path) -> Proposal | None:
    root = answers.get("prepare.root")
    if root is None:
        return Proposal(_GENERATED, "No folder was named.")
    return corpus_of(folder / str(root))


def _is_random(answers: Answers) -> bool:
    return answers.get("encoder.init") == "random"


_ALL = frozenset(Kind)
_TRAINS = frozenset({Kind.experiment, Kind.finetune})
_MERGES = frozenset({Kind.experiment, Kind.merge})
_SCORES = frozenset({Kind.experiment, Kind.evaluate})

QUESTIONS = (
    Question("name", "Name of the experiment", "speechft", "Folders and reports carry it.", _ALL, read=str),
    Question(
        "prepare.root",
        "Folder of the recordings, or none to have speech made",
        _NONE,
        "A path relative to the YAML file, or an absolute one.",
        frozenset({Kind.experiment}),
        read=_path,
    ),
    Question(
        "prepare.corpus",
        "Corpus",
        "folder",
        "It says how the recordings lie on disk, and where text and labels are.",
        frozenset({Kind.experiment}),
        choices=_corpora,
        read=str,
        propose=_corpus_in_root,
    ),
    Question(
        "prepare.hours",
        "Hours to keep of each split",
        "0.25",
        "Little is quick to try; the key can be deleted later to keep everything.",
        frozenset({Kind.experiment}),
    ),
    Question(
        "finetune.data",
        "Folder of the manifests",
        "data",
        "Where `speechft prepare --out` wrote them.",
        frozenset({Kind.finetune}),
        read=str,
    ),
    Question(
        "encoder.init",
        "Where the encoder starts",
        "random",
        "The method needs pre-trained weights; random ones show that it all runs.",
        _TRAINS,
        choices=lambda *_: {
            "checkpoint": "pre-trained weights in a file you have",
            "random": "random weights, no download",
        },
        read=lambda text: None if text == "checkpoint" else text,
        propose=_start_given,
    ),
    Question(
        "encoder.checkpoint",
        "Checkpoint to start from",
        "hubert_base_ls960.pt",
        "An s3prl converted .pt, a run folder, or an s3prl downstream .ckpt.",
        _TRAINS,
        when=lambda answers: not _is_random(answers),
        read=str,
    ),
    Question(
        "encoder.family",
        "Encoder family",
        "hubert",
        "It says how a checkpoint is read and which layers stay frozen.",
        _TRAINS,
        choices=_summaries("encoders"),
        read=str,
        propose=_family_of_checkpoint,
    ),
    Question(
        "encoder.size",
        "Size of the random encoder",
        "tiny",
        "Tiny trains on a laptop, base needs a GPU.",
        _TRAINS,
        when=_is_random,
        choices=lambda *_: {"tiny": "3 layers of width 128", "base": "12 layers of width 768"},
        read=str,
    ),
    Question(
        "finetune.task",
        "Fine-tuning task",
        "asr",
        "In the paper ASR made the encoder better at most other tasks.",
        _TRAINS,
        choices=_trained_tasks,
        read=str,
    ),
    Question(
        "finetune.steps",
        "Optimizer updates",
        "300",
        "A few hundred for a try on the CPU; the paper makes 50000.",
        _TRAINS,
        when=_is_random,
    ),
    Question(
        "finetune.steps",
        "Optimizer updates",
        "50000",
        "What the paper makes.",
        _TRAINS,
        when=lambda answers: not _is_random(answers),
    ),
    Question(
        "finetune.batch_seconds",
        "Audio per batch [s]",
        "120",
        "It decides how much memory a batch takes.",
        _TRAINS,
        propose=lambda *_: batch_seconds(),
    ),
    Question(
        "merge.base",
        "Pre-trained checkpoint",
        "hubert_base_ls960.pt",
        "The merge starts here: alpha 0 is this file.",
        frozenset({Kind.merge}),
        read=str,
    ),
    Question(
        "merge.tuned",
        "Fine-tuned checkpoints, separated by commas",
        "runs/speechft/finetune",
        "The merge leads there: alpha 1 is the tuned encoder.",
        frozenset({Kind.merge}),
        read=_list,
    ),
    Question(
        "merge.method",
        "Merge method",
        "linear",
        "Linear is the paper's.",
        _MERGES,
        choices=_summaries("methods"),
        read=str,
    ),
    Question(
        "merge.alphas",
        "Alphas, as START:STOP:STEP or a list",
        "0:1:0.25",
        "How far to go from base to tuned; the paper's best is 0.25.",
        _MERGES,
    ),
    Question(
        "evaluate.data",
        "Folder of the manifests",
        "data",
        "Where `speechft prepare --out` wrote them.",
        frozenset({Kind.evaluate}),
        read=str,
    ),
    Question(
        "evaluate.models",
        "Encoders to score, as LABEL=PATH separated by commas",
        "base=hubert_base_ls960.pt",
        "Each becomes a row of the report.",
        frozenset({Kind.evaluate}),
        read=_models,
    ),
    Question(
        "evaluate.tasks",
        "Tasks to score on",
        "sid,pr",
        "Tasks it was not tuned on show what the encoder still knows.",
        _SCORES,
        choices=_probing_tasks,
        read=_list,
        takes_several=True,
    ),
    Question("seed", "Seed", "1337", "The same seed gives the same run.", _ALL),
)
