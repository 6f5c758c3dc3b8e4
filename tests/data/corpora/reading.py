"""What the tests of readers do with a corpus."""

from __future__ import annotations

from pathlib import Path

from speechft_cli.data import CORPORA
from speechft_cli.data.corpus import CorpusRequest, Rejected
from speechft_cli.data.utterance import Utterance


def read(corpus: str, root: Path, *, seed: int = 0, **splits: list[str]) -> list[tuple[str, Utterance]]:
    """Returns what a reader yields but for what it rejects."""
    found = CORPORA.get(corpus).read(CorpusRequest(root, splits=splits, seed=seed))
    return [each for each in found if not isinstance(each, Rejected)]


def rejected(corpus: str, root: Path, **splits: list[str]) -> list[Rejected]:
    """Returns what a reader rejects."""
    found = CORPORA.get(corpus).read(CorpusRequest(root, splits=splits))
    return [each for each in found if isinstance(each, Rejected)]
