"""Checkpoints of other software, made here in the layouts that it writes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import RequestError
from tests.encoders.layouts import LAYOUTS, tiny, voice

CPU = torch.device("cpu")
FAIRSEQ = ("hubert", "wav2vec2", "data2vec")


def same(read: EncoderCheckpoint, original: EncoderCheckpoint) -> bool:
    return read.weights.keys() == original.weights.keys() and all(
        torch.equal(read.weights[key], tensor) for key, tensor in original.weights.items()
    )


def downstream(checkpoint: EncoderCheckpoint, upstream: str) -> dict[str, object]:
    # DistilHuBERT's network lies in a builder in the expert
    prefix = "model." * (1 + checkpoint.family.network_place.count("."))
    return {
        "Optimizer": {"state": {0: {"exp_avg": torch.zeros(5)}}, "param_groups": []},
        "Step": 100,
        "Epoch": 1,
        "Args": argparse.Namespace(upstream=upstream, upstream_trainable=True),
        "Config": {"runner": {"total_steps": 100}},
        "Upstream": {f"{prefix}{key}": tensor for key, tensor in checkpoint.weights.items()},
        "Featurizer": {"weights": torch.zeros(4)},
        "Downstream": {"projector.weight": torch.zeros(2, 2)},
    }


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_s3prls_downstream_run_is_read(tmp_path: Path, name: str, size: str) -> None:
    checkpoint = tiny(name, size)
    torch.save(downstream(checkpoint, f"{name}_local"), tmp_path / "dev-best.ckpt")
    read = read_encoder(tmp_path / "dev-best.ckpt")

    assert read.family is checkpoint.family
    assert same(read, checkpoint)
    assert read.is_complete is (name == "decoar2")  # whose architecture is not in its own files either


@pytest.mark.parametrize("size", ["base", "large"])
@pytest.mark.parametrize("name", ["hubert", "wav2vec2"])
def test_a_downstream_run_of_a_network_of_transformers_is_read(tmp_path: Path, name: str, size: str) -> None:
    checkpoint = tiny(name, size)
    (folder,) = save_encoder(checkpoint, tmp_path, ["hf"])
    theirs = getattr(transformers, {"hubert": "HubertModel", "wav2vec2": "Wav2Vec2Model"}[name]).from_pretrained(folder)
    tree = downstream(checkpoint, f"hf_{name}_custom")
    tree["Upstream"] = {f"model.{key}": tensor for key, tensor in theirs.state_dict().items()}
    torch.save(tree, tmp_path / "dev-best.ckpt")
    read = read_encoder(tmp_path / "dev-best.ckpt")

    assert read.family is checkpoint.family
    encoder = {key: tensor for key, tensor in checkpoint.weights.items() if not read.family.is_kept(key)}
    assert read.weights.keys() == encoder.keys()
    assert all(torch.equal(read.weights[key], tensor) for key, tensor in encoder.items())


def test_a_downstream_run_that_says_nothing_of_its_family_is_told_by_its_weights(tmp_path: Path) -> None:
    tree = downstream(tiny("wavlm", "base"), "")
    del tree["Args"]
    torch.save(tree, tmp_path / "a.ckpt")
    assert read_encoder(tmp_path / "a.ckpt").family.name == "wavlm"


def test_spins_lightning_checkpoint_is_read(tmp_path: Path) -> None:
    checkpoint = tiny("hubert", "base")
    weights = {f"encoder.model.{key}": tensor for key, tensor in checkpoint.weights.items()}
    tree = {
        "epoch": 0,
        "global_step": 5000,
        "pytorch-lightning_version": "1.9.0",
        "state_dict": weights | {"pred_head.weight": torch.zeros(3)},
        "optimizer_states": [{"state": {}}],
    }
    torch.save(tree, tmp_path / "spin.ckpt")
    read = read_encoder(tmp_path / "spin.ckpt")

    assert read.family.name == "hubert"
    assert same(read, checkpoint)
    assert not read.is_complete


def test_a_lightning_checkpoint_without_a_pretraining_head_needs_its_family(
    tmp_path: Path, hubert: EncoderFamily
) -> None:
    checkpoint = tiny("hubert", "base")
    weights = {f"encoder.model.{key}": each for key, each in checkpoint.weights.items() if not hubert.is_kept(key)}
    torch.save({"state_dict": weights}, tmp_path / "spin.ckpt")
    with pytest.raises(RequestError, match="must say what family"):
        read_encoder(tmp_path / "spin.ckpt")
    assert read_encoder(tmp_path / "spin.ckpt", hubert).weights.keys() == {
        key for key in checkpoint.weights if not hubert.is_kept(key)
    }


def fairseq(checkpoint: EncoderCheckpoint, *, is_old: bool = False) -> dict[str, object]:
    container = checkpoint.container
    task, model = (dict(cast("dict[str, object]", container[key])) for key in ("task_cfg", "model_cfg"))
    weights: dict[str, object] = dict(checkpoint.weights)
    if checkpoint.family.name == "data2vec":
        weights |= {"_ema": {"layers.0.fc1.weight": torch.zeros(2)}, "final_proj.weight": torch.zeros(32, 32)}
    rest = {"optimizer_history": [], "last_optimizer_state": {"state": {0: {"exp_avg": torch.zeros(9)}}}}
    if is_old:
        settings = {key: value for key, value in {**task, **model}.items() if not key.startswith("_")}
        return {"args": argparse.Namespace(arch=model["_name"], **settings), "model": weights, **rest}
    state = {
        "dictionaries": [{"symbols": each} for each in cast("list[object]", container.get("dictionaries_symbols", []))]
    }
    return {"args": None, "cfg": {"model": model, "task": task}, "model": weights, "task_state": state, **rest}


@pytest.mark.parametrize(("name", "size"), [(name, size) for name, size in LAYOUTS if name in FAIRSEQ])
@pytest.mark.parametrize("is_old", [False, True])
def test_fairseqs_checkpoint_is_read_whole(tmp_path: Path, name: str, size: str, is_old: bool) -> None:
    checkpoint = tiny(name, size)
    torch.save(fairseq(checkpoint, is_old=is_old), tmp_path / "checkpoint_best.pt")
    read = read_encoder(tmp_path / "checkpoint_best.pt")

    assert read.family is checkpoint.family
    assert same(read, checkpoint)
    with torch.no_grad():
        pairs = [build_encoder(each, device=CPU)([voice(6_000)]).last for each in (read, checkpoint)]
    assert torch.equal(*pairs)
    if not is_old:
        ours = {key: value for key, value in read.container.items() if key != "_ema"}
        assert ours == checkpoint.container


@pytest.mark.parametrize("is_old", [False, True])
def test_the_encoder_is_taken_out_of_fairseqs_model_for_ctc(tmp_path: Path, is_old: bool) -> None:
    checkpoint = tiny("wav2vec2", "base")
    inner = {f"w2v_encoder.w2v_model.{key}": each for key, each in checkpoint.weights.items()}
    inside = fairseq(checkpoint, is_old=is_old)
    model = {"_name": "wav2vec_ctc", "w2v_args": inside["args"] if is_old else inside["cfg"]}
    weights: dict[str, Tensor] = inner | {"w2v_encoder.proj.weight": torch.zeros(32, 32)}
    torch.save({"args": None, "cfg": {"model": model, "task": {}}, "model": weights}, tmp_path / "ctc.pt")
    read = read_encoder(tmp_path / "ctc.pt")

    assert same(read, checkpoint)
    assert read.is_complete


@pytest.mark.parametrize("name", ["hubert", "wav2vec2", "wavlm", "data2vec"])
def test_weights_alone_are_read_and_no_decoar(tmp_path: Path, name: str) -> None:
    checkpoint = tiny(name, "base")
    for tree in ({"model": dict(checkpoint.weights)}, dict(checkpoint.weights)):
        torch.save(tree, tmp_path / "weights.pt")
        read = read_encoder(tmp_path / "weights.pt")

        assert read.family.name == name
        assert same(read, checkpoint)
        assert not read.is_complete


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_weights_of_transformers_without_their_configuration_are_told(tmp_path: Path, file: str) -> None:
    (folder,) = save_encoder(tiny("hubert", "base"), tmp_path, ["hf"])
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "config.json").unlink()
    with pytest.raises(RequestError, match=rf"{file}: has weights under transformers' names, but .* no config\.json"):
        read_encoder(folder / file, ENCODERS.get("hubert"))


def test_fairseqs_architecture_string_is_not_executed_either(tmp_path: Path) -> None:
    tree = fairseq(tiny("hubert", "base"))
    cast("dict[str, dict[str, object]]", tree["cfg"])["model"]["conv_feature_layers"] = "print(1)"
    torch.save(tree, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"model_cfg\.conv_feature_layers must be a list of"):
        read_encoder(tmp_path / "a.pt")


def test_s3prls_extras_beside_decoars_encoder_are_kept(tmp_path: Path) -> None:
    checkpoint = tiny("decoar2", "base")
    extra = {"quantizer.vars": torch.ones(1, 4, 2), "final_proj.weight": torch.ones(2, 2)}
    torch.save(
        {"model": {**checkpoint.weights, **extra}, "args": argparse.Namespace(arch="decoar2")}, tmp_path / "a.pt"
    )
    read = read_encoder(tmp_path / "a.pt")

    assert read.family.name == "decoar2"
    assert read.weights.keys() == checkpoint.weights.keys() | extra.keys()
    build_encoder(read, device=CPU)


def test_a_file_that_s3prl_would_load_as_decoar_without_a_word_is_refused(tmp_path: Path) -> None:
    weights = dict(tiny("decoar2", "base").weights)
    weights["encoder.layers.1.fc1.WEIGHT"] = weights.pop("encoder.layers.1.fc1.weight")
    torch.save({"model": weights}, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"fc1\.weight: is missing\n.*fc1\.WEIGHT: is unknown"):
        build_encoder(read_encoder(tmp_path / "a.pt", ENCODERS.get("decoar2")), device=CPU)


def test_a_damaged_weight_is_named(tmp_path: Path) -> None:
    checkpoint = tiny("hubert", "base")
    name = "encoder.layers.0.fc1.weight"
    torch.save(downstream(checkpoint, "hubert"), tmp_path / "a.ckpt")
    content = bytearray((tmp_path / "a.ckpt").read_bytes())
    content[content.find(checkpoint.weights[name].numpy().tobytes())] ^= 4
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(RequestError, match=rf"is damaged: not what was written are {name}"):
        read_encoder(tmp_path / "a.ckpt")
