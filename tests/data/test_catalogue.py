"""A contract that every corpus in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from speechft_cli.data import CORPORA
from speechft_cli.data.corpus import CorpusRequest
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError

ON_DISK = [name for name in CORPORA if CORPORA.get(name).needs_root]
GENERATED = [name for name in CORPORA if not CORPORA.get(name).needs_root]


@pytest.mark.parametrize("name", ON_DISK)
def test_a_corpus_that_must_lie_on_disk_says_when_it_does_not(name: str, tmp_path: Path) -> None:
    corpus = CORPORA.get(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="empty"):
        list(corpus.read(CorpusRequest(tmp_path / "empty")))


@pytest.mark.parametrize("name", GENERATED)
def test_a_corpus_that_is_generated_gives_the_same_for_the_same_seed(name: str, tmp_path: Path) -> None:
    corpus = CORPORA.get(name)

    def first(folder: str) -> list[tuple[str, str, str | None]]:
        read = corpus.read(CorpusRequest(tmp_path / folder, hours=0.002, seed=3))
        found = list(islice(read, 3))
        pairs = [item for item in found if isinstance(item, tuple)]
        assert len(pairs) == 3
        assert all(split in SPLITS and isinstance(each, Utterance) for split, each in pairs)
        return [(split, each.id, each.text) for split, each in pairs]

    assert first("a") == first("b")
