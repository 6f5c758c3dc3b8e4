"""Hugging Face folders: transformers loads ours silently and computes what s3prl computes; theirs are read."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import RequestError
from tests.encoders.layouts import LAYOUTS, tiny, voice

CPU = torch.device("cpu")
HOMED = [(name, size) for name, size in LAYOUTS if ENCODERS.get(name).home is not None]


def load(folder: Path, architecture: str, **arguments: object) -> torch.nn.Module:
    """What a user of transformers does."""
    model = getattr(transformers, architecture).from_pretrained(folder, **arguments)
    return model.eval()


def architecture(checkpoint: EncoderCheckpoint) -> str:
    assert checkpoint.family.home is not None
    return checkpoint.family.home.architecture


def features(checkpoint: EncoderCheckpoint, waveform: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return build_encoder(checkpoint, device=CPU)([waveform]).hidden_states


@pytest.mark.parametrize(("name", "size"), HOMED)
def test_transformers_loads_it_silently_and_gives_the_same_features(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, size: str
) -> None:
    checkpoint, waveform = tiny(name, size), voice(9_000)
    (folder,) = save_encoder(checkpoint, tmp_path, ["hf"])
    transformers.utils.logging.enable_propagation()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        model, info = getattr(transformers, architecture(checkpoint)).from_pretrained(folder, output_loading_info=True)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    assert not caplog.records
    assert not any(info.values()), info
    assert extractor.do_normalize is checkpoint.family.normalizes(checkpoint.container)

    prepared = torch.nn.functional.layer_norm(waveform, waveform.shape) if extractor.do_normalize else waveform
    with torch.no_grad():
        theirs = model.eval()(prepared[None], output_hidden_states=True)
    ours = features(checkpoint, waveform)
    # the last of transformers' hidden states is not normalised where s3prl's is
    pairs = zip(ours, (*theirs.hidden_states[:-1], theirs.last_hidden_state), strict=True)
    assert max((one - other).abs().max().item() for one, other in pairs) < 1e-5


@pytest.mark.parametrize(("name", "size"), HOMED)
def test_the_way_there_and_back_changes_no_bit(tmp_path: Path, name: str, size: str) -> None:
    checkpoint = tiny(name, size)
    save_encoder(checkpoint, tmp_path, ["hf"])
    back = read_encoder(tmp_path)

    assert back.family is checkpoint.family
    assert back.weights.keys() == checkpoint.weights.keys()
    assert all(torch.equal(back.weights[key], tensor) for key, tensor in checkpoint.weights.items())
    assert back.container == checkpoint.container
    assert not back.filled


@pytest.mark.parametrize(("name", "size"), HOMED)
def test_a_folder_of_transformers_own_is_read(tmp_path: Path, name: str, size: str) -> None:
    checkpoint, waveform = tiny(name, size), voice(9_000)
    (ours,) = save_encoder(checkpoint, tmp_path, ["hf"])
    load(ours, architecture(checkpoint)).save_pretrained(tmp_path / "theirs")
    transformers.AutoFeatureExtractor.from_pretrained(ours).save_pretrained(tmp_path / "theirs")
    read = read_encoder(tmp_path / "theirs")

    assert read.is_complete
    assert read.filled == {key for key in checkpoint.weights if checkpoint.family.is_kept(key)}
    pairs = zip(features(read, waveform), features(checkpoint, waveform), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


WRAPPED = [
    ("hubert", "HubertForCTC"),
    ("wav2vec2", "Wav2Vec2ForCTC"),
    ("wav2vec2", "Wav2Vec2ForPreTraining"),
    ("wavlm", "WavLMForCTC"),
    ("wavlm", "WavLMForXVector"),
    ("data2vec", "Data2VecAudioForCTC"),
    ("unispeech_sat", "UniSpeechSatForCTC"),
]


@pytest.mark.parametrize(("name", "wrapper"), WRAPPED)
@pytest.mark.parametrize("is_sharded", [False, True])
def test_the_encoder_is_taken_out_of_a_model_with_a_head(
    tmp_path: Path, name: str, wrapper: str, is_sharded: bool
) -> None:
    checkpoint = tiny(name, "base")
    (ours,) = save_encoder(checkpoint, tmp_path, ["hf"])
    model = load(ours, wrapper)
    model.save_pretrained(tmp_path / "theirs", max_shard_size="40KB" if is_sharded else "1GB")
    assert (tmp_path / "theirs" / "model.safetensors.index.json").exists() is is_sharded
    read = read_encoder(tmp_path / "theirs")

    heads = {key for key in checkpoint.weights if checkpoint.family.is_kept(key)}
    assert all(torch.equal(read.weights[key], checkpoint.weights[key]) for key in checkpoint.weights.keys() - heads)
    assert read.filled == (frozenset() if wrapper.endswith("PreTraining") else heads)


def test_an_old_bin_with_the_old_names_of_weight_norm_is_read(tmp_path: Path) -> None:
    checkpoint = tiny("wav2vec2", "large")
    (folder,) = save_encoder(checkpoint, tmp_path, ["hf"])
    tensors = dict(load(folder, "Wav2Vec2Model").state_dict())
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        tensors[f"encoder.pos_conv_embed.conv.{old}"] = tensors.pop(
            f"encoder.pos_conv_embed.conv.parametrizations.weight.{new}"
        )
    for name in ("model.safetensors", "speechft.safetensors"):
        (folder / name).unlink()
    torch.save({f"wav2vec2.{name}": tensor for name, tensor in tensors.items()}, folder / "pytorch_model.bin")
    for path in (folder, folder / "pytorch_model.bin"):
        read = read_encoder(path, checkpoint.family)
        same = [key for key in checkpoint.weights if torch.equal(read.weights[key], checkpoint.weights[key])]
        assert checkpoint.weights.keys() - same == {key for key in checkpoint.weights if checkpoint.family.is_kept(key)}


def test_what_lies_beside_another_encoder_is_left_alone(tmp_path: Path) -> None:
    (folder,) = save_encoder(tiny("hubert", "large"), tmp_path, ["hf"])
    (other,) = save_encoder(tiny("hubert", "base"), tmp_path, ["hf"], stem="other")
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (folder / name).write_bytes((other / name).read_bytes())
    assert read_encoder(folder).filled


@pytest.mark.parametrize("name", ["decoar2", "distilhubert"])
def test_a_family_without_a_home_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match=f"{name}: has no home in transformers") as caught:
        save_encoder(tiny(name, "base"), tmp_path / "out", ["s3prl", "hf"])
    assert "--format s3prl" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "whisper"}, "model_type must be one of hubert, wav2vec2, .*, got 'whisper'"),
        ({"layer_norm_eps": 1e-12}, "layer_norm_eps must be 1e-05, is 1e-12"),
        ({"add_adapter": True}, "add_adapter must be False, is True"),
        ({"hidden_act": "relu"}, "hidden_act must be 'gelu', is 'relu'"),
        ({"conv_dim": [24]}, "must be lists of one length"),
        ({"num_hidden_layers": 3}, r"encoder\.layers\.2\..*: is missing"),
        ({"num_hidden_layers": 1}, r"encoder\.layers\.1\..*: is unknown to s3prl"),
        ({"intermediate_size": 65}, r"must have shape \(65, 32\), has \(64, 32\)"),
    ],
)
def test_a_model_that_s3prl_has_no_network_for_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    (folder,) = save_encoder(tiny("hubert", "base"), tmp_path, ["hf"])
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(RequestError, match=message):
        read_encoder(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", r"config\.json: must be JSON"),
        ("config.json", b"[]", r"config\.json: must be a JSON object, is list"),
        ("model.safetensors", b"not one", r"model\.safetensors: must be a whole safetensors file"),
        ("model.safetensors", None, r"must have weights beside config\.json"),
    ],
)
def test_a_damaged_folder_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    (folder,) = save_encoder(tiny("hubert", "base"), tmp_path, ["hf"])
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(RequestError, match=message):
        read_encoder(folder)


def test_a_damaged_weight_of_an_old_folder_is_named(tmp_path: Path) -> None:
    (folder,) = save_encoder(tiny("hubert", "base"), tmp_path, ["hf"])
    state = load(folder, "HubertModel").state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    content = bytearray((folder / "pytorch_model.bin").read_bytes())
    damaged = state["encoder.layers.0.feed_forward.intermediate_dense.weight"]
    content[content.find(damaged.numpy().tobytes())] ^= 4
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(RequestError, match=r"is damaged: not what was written are encoder\.layers\.0\.fc1\.weight"):
        read_encoder(folder)


def test_what_an_old_file_leaves_to_s3prls_defaults_is_written_out(tmp_path: Path) -> None:
    checkpoint, waveform = tiny("wav2vec2", "base"), voice(6_000)
    model = dict(checkpoint.container["model_cfg"])  # type: ignore[call-overload]
    for key in ("extractor_mode", "layer_norm_first", "conv_bias", "activation_fn"):
        del model[key]
    bare = EncoderCheckpoint(checkpoint.family, checkpoint.weights, {**checkpoint.container, "model_cfg": model})
    (folder,) = save_encoder(bare, tmp_path, ["hf"])
    with torch.no_grad():
        theirs = load(folder, "Wav2Vec2Model")(waveform[None]).last_hidden_state
    assert (theirs - features(bare, waveform)[-1]).abs().max() < 1e-5
