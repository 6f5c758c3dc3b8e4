"""What encoders are called where they are not paths."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.baselines import baseline
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.names import RandomName, read_random, unambiguous
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.errors import RequestError
from speechft_cli.io.hashes import weights_hash

CPU = torch.device("cpu")


def test_a_random_encoder_is_named_by_family_size_and_seed() -> None:
    assert read_random("random:hubert-small") == RandomName("hubert", "small", None)
    assert read_random("random:unispeech_sat-large@7") == RandomName("unispeech_sat", "large", 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random:hubert-smal", "did you mean 'hubert-small'"),
        ("random:", "must be one of data2vec-base"),
        ("random:hubert-tiny@-1", "the seed after @ must be a whole number below 2³², got '-1'"),
        ("random:hubert-tiny@", "the seed after @ must be a whole number below 2³², got ''"),
    ],
)
def test_a_name_of_no_random_encoder_is_refused(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_random(name)


def test_the_same_seed_makes_the_same_random_encoder() -> None:
    def hashed(name: str, seed: int) -> str:
        return weights_hash(baseline(name, seed=seed).build(CPU, False).weights())

    expected = weights_hash(random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=5).weights)
    assert hashed("random:hubert-tiny", 5) == hashed("random:hubert-tiny@5", 6) == expected
    assert hashed("random:hubert-tiny", 6) != expected
    assert baseline("random:hubert-tiny@5", seed=6).text == "random weights: hubert tiny, seed 5"


@pytest.mark.parametrize("name", ["logmel", "fbank", "random:hubert-tiny"])
def test_a_baseline_is_no_checkpoint(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name}: is no pre-trained encoder but something to compare with"):
        read_encoder(Path(name))


def test_what_is_there_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert unambiguous(Path("logmel")) == Path("logmel")
    (tmp_path / "logmel").mkdir()
    assert unambiguous(Path("logmel")) == tmp_path / "logmel"
    assert unambiguous(Path("run")) == Path("run")
