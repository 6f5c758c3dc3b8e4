"""What is asked of `prepare`: checked, and as the manifests record it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.corpus import Corpus, CorpusRequest
from speechft_cli.data.lexicon import read_lexicon
from speechft_cli.data.synthesis.recipe import Recipe
from speechft_cli.data.utterance import SPLITS
from speechft_cli.errors import RequestError
from speechft_cli.registry import unknown_name
from speechft_cli.tasks import trained_task

#: Task → why nothing can be outside its vocabulary.
_WITHOUT_VOCABULARY = {
    "asv": "whose test compares speakers that its train split does not have",
    "hubert": "whose targets are made when it is trained",
}


def check_request(section: PrepareSection, corpus: Corpus, root: Path | None) -> None:
    """Makes sure that a request makes sense before anything is read.

    Args:
        section: What is asked for.
        corpus: What it is asked of.
        root: Where that lies.

    Raises:
        RequestError: It makes none; says which key.
    """
    _check_split(section)
    if section.join:
        if root is not None or section.splits:
            key = "root" if root is not None else "splits"
            raise RequestError(f"prepare.{key}: must be absent beside prepare.join", "leave one of the two out")
    elif corpus.needs_root and (root is None or not (section.download or root.exists())):
        raise RequestError(
            f"prepare.root: must be where the corpus {section.corpus!r} lies, "
            f"got {'nothing' if root is None else f'{root}, which does not exist'}",
            f"speechft prepare {section.corpus} --root {'LIST' if section.corpus == 'manifest' else 'DIR'}"
            f"{' --download' if corpus.archives else ''}",
        )
    if not corpus.needs_root and (root is not None or section.splits):
        key = "root" if root is not None else "splits"
        raise RequestError(
            f"prepare.{key}: must be absent for {section.corpus!r}, which makes its own audio and splits",
            f"speechft prepare {section.corpus} --out DIR",
        )
    for split in section.splits:
        if split not in SPLITS:
            raise RequestError(
                f"prepare.splits: {unknown_name(split, list(SPLITS))}",
                "ours on the left, the corpus's on the right: --splits train=PART+PART,dev=PART",
            )
    parts = Counter(part for named in section.splits.values() for part in named)
    if twice := [part for part, times in parts.items() if times > 1]:
        raise RequestError(
            f"prepare.splits: must name each part once, names {', '.join(twice)} again", "leave it in one split"
        )
    if section.min_seconds > section.max_seconds:
        raise RequestError(
            f"prepare.min_seconds: must be at most max_seconds, got {section.min_seconds:g} > {section.max_seconds:g}",
            "--set prepare.min_seconds=0.5 --set prepare.max_seconds=60",
        )
    if section.task is not None:
        task = trained_task(section.task, key="prepare.task")
        if task.is_closed_set or task.name in _WITHOUT_VOCABULARY:
            why = _WITHOUT_VOCABULARY.get(task.name, "whose classes are those of its train split")
            raise RequestError(
                f"prepare.task: must be a task with a vocabulary of symbols, got {section.task!r}, {why}",
                "prepare.task: asr",
            )


def _check_split(section: PrepareSection) -> None:
    for split in section.split:
        if split not in SPLITS:
            raise RequestError(
                f"prepare.split: {unknown_name(split, list(SPLITS))}", "--split train=0.8,dev=0.1,test=0.1"
            )
    if section.split and abs(sum(section.split.values()) - 1) > 1e-6:
        raise RequestError(
            f"prepare.split: must have shares that sum to 1, sum to {sum(section.split.values()):g}",
            "prepare.split: {train: 0.8, dev: 0.1, test: 0.1}",
        )
    if not section.split and (section.stratify is not None or section.split_by != "utterance"):
        key = "stratify" if section.stratify is not None else "split_by"
        raise RequestError(f"prepare.{key}: must come with prepare.split", "prepare.split: {train: 0.9, dev: 0.1}")


def describe_request(section: PrepareSection, root: Path | None, *, seed: int) -> dict[str, object]:
    """Returns everything the manifests depend on."""
    return {
        "corpus": corpus_name(section),
        "join": [str(folder.absolute()) for folder in section.join],
        "split": dict(section.split),
        "split_by": section.split_by,
        "stratify": section.stratify,
        "root": None if root is None else str(root),
        "splits": {split: list(parts) for split, parts in sorted(section.splits.items())},
        "hours": section.hours,
        "order": section.order,
        "lexicon": None if section.lexicon is None else str(section.lexicon.absolute()),
        "synthetic": section.synthetic.model_dump(),
        "min_seconds": section.min_seconds,
        "max_seconds": section.max_seconds,
        "sample_rates": list(section.sample_rates),
        "decode": section.decode,
        "shards": section.shard_size if section.shards else None,
        "keep_duplicates": section.keep_duplicates,
        "task": section.task,
        "seed": seed,
    }


def corpus_request(section: PrepareSection, root: Path, *, seed: int, workers: int) -> CorpusRequest:
    """Returns what a corpus's reader is asked for.

    Raises:
        RequestError: The lexicon can't be read.
    """
    synthetic = section.synthetic
    return CorpusRequest(
        root,
        splits=section.splits,
        hours=section.hours,
        seed=seed,
        order=section.order,
        lexicon=None if section.lexicon is None else read_lexicon(section.lexicon),
        recipe=Recipe(tuple(synthetic.contents), synthetic.speakers, synthetic.snr, synthetic.reverberation),
        workers=workers,
    )


def corpus_name(section: PrepareSection) -> str:
    """Returns what the manifests are made of, as a name."""
    return "join" if section.join else section.corpus
