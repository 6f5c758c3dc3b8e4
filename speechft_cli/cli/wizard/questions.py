"""The wizard's questions as data, in the order in which they are asked."""

from __future__ import annotations

from speechft_cli.cli.wizard.choices import (
    corpora,
    corpus_in_root,
    depths,
    family_of_checkpoint,
    is_large,
    is_pretrained,
    is_random,
    is_small,
    labels_of_folders,
    layer_of_checkpoint,
    old_depth,
    old_hours,
    old_start,
    probes_of_data,
    probing_tasks,
    read_depth,
    read_hours,
    read_start,
    start_given,
    starts,
    summaries,
    task_of_data,
    trained_tasks,
)
from speechft_cli.cli.wizard.findings import batch_seconds
from speechft_cli.cli.wizard.kinds import Kind
from speechft_cli.cli.wizard.question import (
    NONE,
    Question,
    path_of,
    read_fields,
    read_list,
    read_models,
    read_path,
    read_paths,
)
from speechft_cli.encoders.names import SMALL

_ALL = frozenset(Kind)
_TUNES = frozenset({Kind.experiment, Kind.finetune})
_TRAINS = _TUNES | {Kind.pretrain}
_MERGES = frozenset({Kind.experiment, Kind.merge, Kind.pretrain})
_SCORES = frozenset({Kind.experiment, Kind.evaluate})


def _labels(key: str, tasks: str) -> Question:
    """Which fields tasks take for their classes: there is one answer, so it is never asked."""
    offered = labels_of_folders(tasks)
    prompt, default, why = "Fields of the classes, as TASK=FIELD", "ks=label", "Folders of recordings have one label."
    kinds = frozenset({Kind.experiment})
    return Question(key, prompt, default, why, kinds, lambda given: bool(offered(given)), offered, read_fields)


QUESTIONS = (
    Question("name", "Name of the experiment", "speechft", "Folders and reports carry it.", _ALL, read=str),
    Question(
        "prepare.root",
        "Folder or list of the recordings, or none to have speech made",
        NONE,
        "A path relative to the YAML file, or an absolute one.",
        frozenset({Kind.experiment}),
        read=read_path,
    ),
    Question(
        "prepare.corpus",
        "Corpus",
        "folder",
        "It says how the recordings lie on disk, and where text and labels are.",
        frozenset({Kind.experiment}),
        choices=corpora,
        read=str,
        propose=corpus_in_root,
    ),
    Question(
        "prepare.hours",
        "Hours to keep of each split, or all",
        "0.25",
        "Little is quick to try; the key can be deleted later to keep everything.",
        frozenset({Kind.experiment}),
        read=read_hours,
        old=old_hours,
    ),
    Question(
        "finetune.data",
        "Folder of the manifests",
        "data",
        "Where `speechft prepare --out` wrote them.",
        frozenset({Kind.finetune, Kind.pretrain}),
        read=path_of,
    ),
    Question(
        "encoder.init",
        "Where the encoder starts",
        "checkpoint",
        "The method needs pre-trained weights; random ones only show that it all runs.",
        _TUNES,
        choices=starts,
        read=read_start,
        old=old_start,
        propose=start_given,
    ),
    Question(
        "encoder.checkpoint",
        "Checkpoint to start from",
        SMALL,
        "A name of `list checkpoints` (this one is here), or a file or folder.",
        _TRAINS,
        when=is_pretrained,
        read=path_of,
    ),
    Question(
        "encoder.family",
        "Encoder family",
        "hubert",
        "It says how a checkpoint is read and which layers stay frozen.",
        _TRAINS,
        choices=summaries("encoders"),
        read=str,
        propose=family_of_checkpoint,
    ),
    Question(
        "encoder.size",
        "Size of the random encoder",
        "tiny",
        "Tiny trains on a laptop, base needs a GPU.",
        _TUNES,
        when=is_random,
        choices=lambda *_: {"tiny": "3 layers of width 128", "base": "12 layers of width 768"},
        read=str,
    ),
    Question(
        "finetune.task",
        "Fine-tuning task",
        "asr",
        "In the paper ASR made the encoder better at most other tasks.",
        _TUNES,
        choices=trained_tasks,
        read=str,
        propose=task_of_data,
    ),
    _labels("finetune.labels", "finetune.task"),
    Question(
        "finetune.units.layer",
        "Hidden state whose clusters are the targets",
        "9",
        "Without labels the encoder learns to predict clusters of its own frames.",
        frozenset({Kind.pretrain}),
        propose=layer_of_checkpoint,
    ),
    Question(
        "finetune.units.clusters",
        "Number of clusters",
        "500",
        "HuBERT took 500 for features.",
        frozenset({Kind.pretrain}),
    ),
    Question(
        "finetune.steps",
        "Optimizer updates",
        "300",
        "A few hundred for a try on the CPU; the paper makes 50000.",
        _TRAINS,
        when=is_small,
    ),
    Question(
        "finetune.steps",
        "Optimizer updates",
        "50000",
        "What the paper makes.",
        _TRAINS,
        when=is_large,
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
        SMALL,
        "The merge starts here: alpha 0 is this file.",
        frozenset({Kind.merge}),
        read=path_of,
    ),
    Question(
        "merge.tuned",
        "Fine-tuned checkpoints, separated by commas",
        "runs/speechft/finetune",
        "The merge leads there: alpha 1 is the tuned encoder.",
        frozenset({Kind.merge}),
        read=read_paths,
    ),
    Question(
        "merge.method",
        "Merge method",
        "linear",
        "Linear is the paper's.",
        frozenset({Kind.experiment, Kind.merge}),
        choices=summaries("methods"),
        read=str,
    ),
    Question(
        "merge.alphas",
        "Alphas, as START:STOP:STEP or a list",
        "0:1:0.25",
        "How far to go from base to tuned; the paper's best is 0.25.",
        _MERGES,
        when=lambda answers: answers.get("merge.alpha") is None,
    ),
    Question(
        "merge.filters",
        "Which parts of the encoder go how far",
        "all",
        "Shallow layers hold what all tasks share; deep ones what one task needs.",
        frozenset({Kind.merge}),
        choices=depths,
        read=read_depth,
        old=old_depth,
    ),
    Question(
        "evaluate.data",
        "Folder of the manifests",
        "data",
        "Where `speechft prepare --out` wrote them.",
        frozenset({Kind.evaluate}),
        read=path_of,
    ),
    Question(
        "evaluate.models",
        "Encoders to score, as LABEL=PATH separated by commas",
        f"base={SMALL}",
        "Each becomes a row of the report.",
        frozenset({Kind.evaluate}),
        read=read_models,
    ),
    Question(
        "evaluate.tasks",
        "Tasks to score on",
        "sid,pr",
        "Tasks it was not tuned on show what the encoder still knows.",
        _SCORES,
        choices=probing_tasks,
        read=read_list,
        takes_several=True,
        propose=probes_of_data,
    ),
    _labels("evaluate.labels", "evaluate.tasks"),
    Question("seed", "Seed", "1337", "The same seed gives the same run.", _ALL),
)
