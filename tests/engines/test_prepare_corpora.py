"""Preparing corpora in their own layouts: fetched, unpacked, ordered, with phonemes."""

import shutil
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.engines.prepare import run
from speechft_cli.errors import RequestError
from speechft_cli.events import ignore
from tests.data.corpora.replicas import emodb


def request(corpus: str, root: Path | None, out: Path, **settings: object) -> Config:
    return Config.model_validate({"prepare": {"corpus": corpus, "root": root, "out": out, **settings}})


def test_a_downloaded_archive_is_unpacked_and_prepared(tmp_path: Path) -> None:
    emodb(tmp_path / "packed")
    (tmp_path / "corpora" / ".download").mkdir(parents=True)
    shutil.make_archive(str(tmp_path / "corpora" / ".download" / "download"), "zip", tmp_path / "packed")
    wanted = request("emodb", tmp_path / "corpora", tmp_path / "out", download=True)
    assert run(wanted, ignore).data["skipped"] is False
    assert (tmp_path / "corpora" / "emodb" / "wav" / "03a01Fa.wav").is_file()
    assert run(wanted, ignore).data["skipped"] is True


def test_a_corpus_that_is_made_or_needs_an_account_can_not_be_downloaded(tmp_path: Path) -> None:
    for corpus, root in (("synthetic", None), ("iemocap", tmp_path)):
        with pytest.raises(RequestError, match=r"prepare\.download: must be off"):
            run(request(corpus, root, tmp_path / "out", download=True), ignore)
