"""The `prepare` section."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from speechft_cli.config.sections.base import Flag, Positive, PositiveInt, Section, Share
from speechft_cli.config.sections.synthetic import SyntheticSection


class PrepareSection(Section):
    """Corpus on disk → manifests."""

    corpus: str = "synthetic"
    """Corpus reader; `speechft list corpora` shows them."""
    root: Path | None = None
    """Where the corpus lies; a folder, or for `manifest` the JSONL, CSV or TSV file (or the folder that holds
    `manifest.jsonl`). `synthetic` needs none."""
    out: Path | None = None
    """Folder of the manifests; default `<output_dir>/data`."""
    download: Flag = False
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
    join: list[Path] = Field(default_factory=list)
    """Manifest folders to read in place of a corpus: several become one."""
    split: dict[str, Share] = Field(default_factory=dict)
    """Divide all utterances anew, for example `{train: 0.8, dev: 0.1, test: 0.1}`; after `hours` has been filled."""
    split_by: Literal["utterance", "speaker"] = "utterance"
    """What `split` keeps together: nothing, or all utterances of a speaker (then the shares are of the time)."""
    stratify: str | None = None
    """Field or label that has the same shares of its values in every split of `split`."""
    min_seconds: Positive = 0.1
    """Shorter utterances are rejected [s]."""
    max_seconds: Positive = 60.0
    """Longer utterances are rejected [s]."""
    sample_rates: list[PositiveInt] = Field(default_factory=list)
    """Sample rates that recordings may have [Hz]; others are rejected. Default: any; reading resamples."""
    decode: Flag = False
    """Decode every sample too: finds damage in the middle, silence, clipping, NaN. Without it the header is read, and
    whether the file is as long as it says."""
    task: str | None = None
    """Reject transcripts with symbols outside the vocabulary of this task, for example `asr` or `pr`."""
    keep_duplicates: Flag = False
    """Keep utterances with the same audio as another one; else one of them stays, before all one that is tested on."""
    shards: Flag = False
    """Write lhotse Shar archives, cuts and audio in large files, in place of manifests that name recordings."""
    shard_size: PositiveInt = 1000
    """Utterances per archive."""
    strict: Flag = False
    """End with an error, and write nothing, when anything is rejected."""
    workers: PositiveInt | None = None
    """Processes that open recordings; default: one per core."""
