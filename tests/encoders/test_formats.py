"""Checkpoint formats, on true tiny checkpoints in the layouts s3prl writes and reads."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

import pytest
import torch
from s3prl.upstream.hubert.convert import load_converted_model
from torch import Tensor

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.convolutions import read_convolutions
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.encoders.hubert import HUBERT
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.errors import RequestError


@pytest.fixture(scope="module")
def tiny() -> EncoderCheckpoint:
    return random_checkpoint(HUBERT, "tiny", seed=3)


def same(one: EncoderCheckpoint, other: EncoderCheckpoint) -> bool:
    return list(one.weights) == list(other.weights) and all(
        torch.equal(one.weights[name], other.weights[name]) for name in one.weights
    )


def downstream(weights: dict[str, Tensor]) -> dict[str, object]:
    """What s3prl's runner saves when it trains the upstream too."""
    return {
        "Optimizer": {"state": {}, "param_groups": []},
        "Step": 100,
        "Epoch": 1,
        "Args": argparse.Namespace(upstream="hubert", upstream_trainable=True, seed=1337),
        "Config": {"runner": {"total_steps": 100}},
        "Upstream": {f"model.{name}": tensor for name, tensor in weights.items()},
        "Featurizer": {"weights": torch.zeros(4)},
        "Downstream": {"projector.weight": torch.zeros(2, 2)},
    }


def test_a_converted_checkpoint_comes_back_as_it_was(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    converted.write(tiny, tmp_path / "a.pt")
    back = read_encoder(tmp_path / "a.pt", HUBERT)
    assert same(back, tiny)
    assert back.container == tiny.container
    assert back.path == tmp_path / "a.pt"
    assert back.is_complete


def test_stock_s3prl_loads_what_is_written(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    converted.write(tiny, tmp_path / "a.pt")
    model, task = load_converted_model(str(tmp_path / "a.pt"))
    assert all(torch.equal(tensor, tiny.weights[name]) for name, tensor in model.state_dict().items())
    assert task.normalize is False


def test_views_are_written_without_the_tensor_they_look_at(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    whole = torch.zeros(5_000_000)
    views = {name: whole[: tensor.numel()].view(tensor.shape) for name, tensor in tiny.weights.items()}
    converted.write(tiny.with_weights(views), tmp_path / "a.pt")
    size = sum(tensor.nbytes for tensor in tiny.weights.values())
    assert size < (tmp_path / "a.pt").stat().st_size < size + 100_000


@pytest.mark.parametrize("inside", ["best/encoder.pt", "encoder.pt"])
def test_a_folder_of_ours_stands_for_its_checkpoint(tiny: EncoderCheckpoint, tmp_path: Path, inside: str) -> None:
    converted.write(tiny, tmp_path / inside)
    assert read_encoder(tmp_path, HUBERT).path == tmp_path / inside


def test_a_downstream_run_gives_weights_without_configuration(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    torch.save(downstream(dict(tiny.weights)), tmp_path / "dev-best.ckpt")
    back = read_encoder(tmp_path / "dev-best.ckpt", HUBERT)
    assert same(back, tiny)
    assert not back.is_complete
    with pytest.raises(RequestError, match="weights but no configuration"):
        converted.write(back, tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_only_the_leading_prefix_is_taken_off_a_downstream_run(tmp_path: Path) -> None:
    torch.save(downstream({"encoder.model.weight": torch.ones(2)}), tmp_path / "a.ckpt")
    assert list(read_encoder(tmp_path / "a.ckpt", HUBERT).weights) == ["encoder.model.weight"]


def test_a_downstream_run_with_a_frozen_encoder_has_none(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    tree = downstream(dict(tiny.weights))
    del tree["Upstream"]
    torch.save(tree, tmp_path / "a.ckpt")
    with pytest.raises(RequestError, match=r"a\.ckpt: must hold a hubert encoder") as caught:
        read_encoder(tmp_path / "a.ckpt", HUBERT)
    assert "with -f" in caught.value.hint


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_hostile_pickle_is_refused_without_execution(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    torch.save({**tiny.tree_of(tiny.weights), "extra": Hostile(tmp_path / "sprung")}, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"a\.pt: holds types that loading would have to execute"):
        read_encoder(tmp_path / "a.pt", HUBERT)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "spec", ["__import__('os').mkdir('x')", "[(512, 10, 5)] + [exit()]", "(lambda: 1)()", "", None, 5, ["x"]]
)
def test_an_architecture_string_with_code_is_refused(tiny: EncoderCheckpoint, tmp_path: Path, spec: object) -> None:
    tree = tiny.tree_of(tiny.weights)
    model = tiny.container["model_cfg"]
    assert isinstance(model, dict)
    tree["model_cfg"] = {**model, "conv_feature_layers": spec}
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"model_cfg\.conv_feature_layers must be a list of \(channels"):
        read_encoder(tmp_path / "a.pt", HUBERT)


@pytest.mark.parametrize("spec", ["[(9**9**9, 10, 5)]", "[(1, 10, 5)] * 10**9", "[[(1, 2, 3)]]", "[(1, 2)]", "[]"])
def test_arithmetic_without_end_is_not_done(spec: str) -> None:
    with pytest.raises(ValueError, match="must be a list of"):
        read_convolutions(spec)


def test_an_encoder_with_frames_of_another_length_is_refused(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    tree = tiny.tree_of(tiny.weights)
    model = tiny.container["model_cfg"]
    assert isinstance(model, dict)
    tree["model_cfg"] = {**model, "conv_feature_layers": "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)]"}
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(RequestError, match="frames of another length are not supported"):
        read_encoder(tmp_path / "a.pt", HUBERT)


def test_fairseq_s_usual_architecture_string_is_read(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    tree = tiny.tree_of(tiny.weights)
    model = tiny.container["model_cfg"]
    assert isinstance(model, dict)
    usual = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2"
    tree["model_cfg"] = {**model, "conv_feature_layers": usual}
    torch.save(tree, tmp_path / "a.pt")
    assert read_encoder(tmp_path / "a.pt", HUBERT).is_complete


@pytest.mark.parametrize("weights", [None, {}, [torch.ones(1)], {"a": torch.ones(1), "b": 3}])
def test_weights_that_are_none_are_refused(tiny: EncoderCheckpoint, tmp_path: Path, weights: object) -> None:
    torch.save({**tiny.tree_of(tiny.weights), "model_weight": weights}, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"a\.pt: model_weight: must hold names and tensors"):
        read_encoder(tmp_path / "a.pt", HUBERT)


def test_a_configuration_that_is_none_is_refused(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    torch.save({**tiny.tree_of(tiny.weights), "model_cfg": argparse.Namespace()}, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"model_cfg\.conv_feature_layers must be a list of \(channels"):
        read_encoder(tmp_path / "a.pt", HUBERT)


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no\.pt: must be a checkpoint, but there is no such file"):
        read_encoder(tmp_path / "no.pt", HUBERT)
    with pytest.raises(RequestError, match=r"must be a checkpoint file, a run folder with best/encoder\.pt"):
        read_encoder(tmp_path, HUBERT)


def test_a_file_of_another_kind_says_what_is_in_it(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "net": {"a": torch.ones(1)}}, tmp_path / "other.pt")
    with pytest.raises(RequestError, match=r"must hold a hubert encoder \(keys .*\) .*, has epoch, net"):
        read_encoder(tmp_path / "other.pt", HUBERT)


def test_a_checkpoint_without_configuration_is_not_complete(tiny: EncoderCheckpoint) -> None:
    for key in tiny.container:
        rest = {name: value for name, value in tiny.container.items() if name != key}
        assert not dataclasses.replace(tiny, container=rest).is_complete
