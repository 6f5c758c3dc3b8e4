"""A checkpoint says what family it is of; nobody has to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.recognition import recognise
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.errors import RequestError


@pytest.mark.parametrize("name", list(ENCODERS))
@pytest.mark.parametrize("format_name", ["s3prl", "safetensors"])
def test_the_family_is_in_the_file(tmp_path: Path, name: str, format_name: str) -> None:
    checkpoint = random_checkpoint(ENCODERS.get(name), "tiny", seed=0)
    (path,) = save_encoder(checkpoint, tmp_path, [format_name])
    read = read_encoder(path)

    assert read.family is checkpoint.family
    assert read.container == checkpoint.container
    assert all(torch.equal(read.weights[key], tensor) for key, tensor in checkpoint.weights.items())
    assert read.weights.keys() == checkpoint.weights.keys()


@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "unispeech_sat"])
def test_the_names_of_the_weights_tell_the_family(name: str) -> None:
    weights = random_checkpoint(ENCODERS.get(name), "tiny", seed=0).weights
    assert recognise(weights, "here").name == name


def test_a_bare_network_may_be_unispeech_sat_or_another_without_its_head() -> None:
    weights = random_checkpoint(ENCODERS.get("unispeech_sat"), "tiny", seed=0).weights
    with pytest.raises(RequestError, match=r"could be any of hubert, wav2vec2, .*unispeech_sat") as caught:
        recognise(weights, "here")
    assert "--family" in caught.value.hint
    assert recognise(weights, "here", config_name="unispeech_sat_base_plus").name == "unispeech_sat"


def test_weights_of_no_family_are_refused() -> None:
    with pytest.raises(RequestError, match=r"here: must say what family its encoder is of, could be any of hubert, "):
        recognise(["feature_projection.weight"], "here", candidates=[ENCODERS.get("hubert"), ENCODERS.get("wavlm")])


def test_another_family_than_the_one_asked_for_is_refused(tmp_path: Path) -> None:
    save_encoder(random_checkpoint(ENCODERS.get("wavlm"), "tiny", seed=0), tmp_path, ["s3prl"])
    with pytest.raises(RequestError, match=r"encoder\.pt: must hold a hubert encoder, holds one of wavlm"):
        read_encoder(tmp_path, ENCODERS.get("hubert"))


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0)
    with pytest.raises(RequestError, match=r"must be one of .*, got 's3plr'; did you mean 's3prl'"):
        save_encoder(checkpoint, tmp_path / "out", ["safetensors", "s3plr"])
    assert not (tmp_path / "out").exists()
