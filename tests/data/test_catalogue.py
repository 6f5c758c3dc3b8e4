"""A contract that every corpus in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.data import CORPORA
from speechft_cli.data.corpus import CorpusRequest, Rejected
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.engines.prepare import run
from speechft_cli.errors import RequestError
from speechft_cli.events import ignore
from tests.data.corpora.replicas import REPLICAS

ON_DISK = [name for name in CORPORA if CORPORA.get(name).needs_root]
GENERATED = [name for name in CORPORA if not CORPORA.get(name).needs_root]
YOURS = ("manifest", "folder")


@pytest.mark.parametrize("name", ON_DISK)
def test_a_corpus_that_must_lie_on_disk_says_when_it_does_not(name: str, tmp_path: Path) -> None:
    corpus = CORPORA.get(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="empty") as caught:
        list(corpus.read(CorpusRequest(tmp_path / "empty")))
    assert name in YOURS or corpus.page in caught.value.hint


@pytest.mark.parametrize("name", [name for name in ON_DISK if name not in YOURS])
def test_a_corpus_says_where_it_comes_from_and_what_it_may_be_used_under(name: str) -> None:
    corpus = CORPORA.get(name)
    assert corpus.page.startswith("http")
    assert corpus.licence
    assert corpus.language is None or re.fullmatch("[a-z]{2,3}", corpus.language)  # None: of many languages


def test_every_corpus_has_a_replica_of_its_layout_to_be_tested_on() -> None:
    assert set(REPLICAS) == set(ON_DISK) - set(YOURS), "tests/data/corpora/replicas.py: a function each"


@pytest.mark.parametrize("name", [name for name in ON_DISK if name not in YOURS])
def test_a_replica_of_the_layout_becomes_manifests_of_three_splits_twice_the_same(name: str, tmp_path: Path) -> None:
    root = tmp_path / "with a space"
    REPLICAS[name](root)
    for out in ("a", "b"):
        section = {"corpus": name, "root": root, "out": tmp_path / out}
        run(Config.model_validate({"prepare": section}), ignore)
    for split in SPLITS:
        assert list(read_manifest(tmp_path / "a", split))
    manifests = sorted(path.name for path in (tmp_path / "a").glob("cuts-*.jsonl.gz"))
    for name in (*manifests, "rejected.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in ON_DISK if name not in YOURS])
def test_a_reader_is_lazy_and_its_recordings_exist(name: str, tmp_path: Path) -> None:
    REPLICAS[name](tmp_path)
    found = list(CORPORA.get(name).read(CorpusRequest(tmp_path)))
    good = [each[1] for each in found if not isinstance(each, Rejected)]
    assert len({each.id for each in good}) == len(good)
    assert all(each.audio.is_file() for each in good)
    (tmp_path / "gone").mkdir()
    CORPORA.get(name).read(CorpusRequest(tmp_path / "gone"))  # nothing happens before the first utterance is wanted


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
