"""The `prepare` section."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from speechft_cli.config.sections.base import Positive, Section
from speechft_cli.config.sections.synthetic import SyntheticSection


class PrepareSection(Section):
    """Corpus on disk → manifests."""

    corpus: str = "synthetic"
    """Corpus reader; `speechft list corpora` shows them."""
    root: Path | None = None
    """Where the corpus lies; a folder, or for `manifest` the JSONL or CSV file (or the folder that holds
    `manifest.jsonl`). `synthetic` needs none."""
    out: Path | None = None
    """Folder of the manifests; default `<output_dir>/data`."""
    download: bool = False
    """Whether to fetch the corpus into `root` first, what is not there yet; only those that need no account."""
    hours: Positive | None = None
    """Keep at most this many hours of each split [h], in corpus order; for `synthetic`: hours of the train split."""
    order: Literal["corpus", "random"] = "corpus"
    """Which utterances `hours` keeps: the first of the corpus, or some drawn by seed."""
    lexicon: Path | None = None
    """Pronunciations, for phonemes of the transcripts: CMUdict or any list of words and their phonemes."""
    synthetic: SyntheticSection = Field(default_factory=SyntheticSection)
    """What `synthetic` is made of."""
    splits: dict[str, list[str]] = Field(default_factory=dict)
    """Which parts of the corpus make up train, dev and test, for example `train: [train-clean-100]`; default: the
    corpus's own."""
    min_seconds: Positive = 0.1
    """Shorter utterances are rejected [s]."""
    max_seconds: Positive = 60.0
    """Longer utterances are rejected [s]."""
