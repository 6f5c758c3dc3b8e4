"""A folder that may not be read: its recordings are never left out without a word."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechft_cli.data import CORPORA
from speechft_cli.data.corpus import Corpus, CorpusRequest, Rejected
from tests.data.corpora.replicas import REPLICAS, noise

_NOBODY = 65534


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that users without privileges can reach, as `tmp_path` is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Takes the rights to a folder away, also from root."""
    mode, user = folder.stat().st_mode, os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(mode)


def ids(corpus: Corpus, root: Path) -> set[str]:
    found = corpus.read(CorpusRequest(root))
    return {each.id if isinstance(each, Rejected) else each[1].id for each in found}


def folder(root: Path) -> None:
    for place in ("yes", "yes/anna", "no"):
        noise(root / place / "a.wav")


@pytest.mark.parametrize("name", [*REPLICAS, "folder"])
def test_nothing_is_lost_in_a_folder_without_rights(name: str, root: Path) -> None:
    build = {**REPLICAS, "folder": folder}[name]
    build(root)
    corpus = CORPORA.get(name)
    everything = ids(corpus, root)
    for place in [each for each in sorted(root.rglob("*")) if each.is_dir()]:
        with closed(place), contextlib.suppress(PermissionError):
            assert ids(corpus, root) >= everything, place
