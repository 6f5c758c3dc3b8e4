from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.dimensions import read_dimensions
from speechft_cli.encoders.formats import converted, read_encoder, save_encoder
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.errors import RequestError, SpeechftError
from tests.encoders import layouts
from tests.encoders.layouts import LAYOUTS

CPU = torch.device("cpu")


def test_frames_follow_the_cnns_formula(tiny: EncoderCheckpoint) -> None:
    encoder = build_encoder(tiny, device=CPU)
    for count in (400, 719, 720, 16_000, 24_000, 16_123):
        encoded = encoder([torch.randn(count)])

        assert encoded.last.shape == (1, tiny.family.frame_count(count), encoder.width)
        assert encoded.frame_counts.tolist() == [tiny.family.frame_count(count)]
    assert tiny.family.frame_count(16_000) == 49
    assert tiny.family.frame_count(399) == 0


def test_there_is_a_hidden_state_more_than_layers(tiny: EncoderCheckpoint) -> None:
    encoder = build_encoder(tiny, device=CPU)
    encoded = encoder([torch.randn(8_000), torch.randn(16_000)])

    assert len(encoded.hidden_states) == len(encoder.layers) + 1 == 4
    assert torch.equal(encoded.last, encoded.hidden_states[-1])


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_s3prls_own_expert_loads_the_file_and_gives_the_same_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: str
) -> None:
    checkpoint, waveforms = layouts.tiny(name, size), [layouts.voice(9_000), layouts.voice(6_000)]
    (path,) = save_encoder(checkpoint, tmp_path, ["s3prl"])
    if name == "decoar2":  # stock s3prl knows one size of it
        from s3prl.upstream.decoar2 import decoar2

        monkeypatch.setattr(decoar2, "args", decoar2.args | read_dimensions(checkpoint.weights))
    expert = importlib.import_module(checkpoint.family.expert).UpstreamExpert(str(path)).eval()
    with torch.no_grad():
        theirs = expert(waveforms)["hidden_states"]
        ours = build_encoder(read_encoder(path), device=CPU)(waveforms).hidden_states

    # DistilHuBERT's expert adds the outputs of its three prediction heads
    assert len(theirs) == len(ours) + (3 if name == "distilhubert" else 0)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=False))


def test_s3prls_own_loader_gives_the_same_features(tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    from s3prl.upstream.hubert.convert import load_converted_model

    path = tmp_path / "encoder.pt"
    converted.write(tiny, path)
    model, _ = load_converted_model(str(path))
    model.eval()
    waveform = torch.randn(16_000)
    with torch.no_grad():
        theirs, _ = model.extract_features(waveform[None], padding_mask=torch.zeros(1, 16_000, dtype=torch.bool))
        ours = build_encoder(tiny, device=CPU)([waveform]).last

    assert torch.equal(ours, theirs)


def test_a_seed_names_the_random_encoder_and_leaves_the_global_state_alone(hubert: EncoderFamily) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = random_checkpoint(hubert, "tiny", seed=1)
    assert torch.equal(torch.rand(3), expected)
    second = random_checkpoint(hubert, "tiny", seed=1)
    other = random_checkpoint(hubert, "tiny", seed=2)
    name = "encoder.layers.0.fc1.weight"

    assert all(torch.equal(first.weights[key], second.weights[key]) for key in first.weights)
    assert not torch.equal(first.weights[name], other.weights[name])


def test_weights_of_another_size_are_refused(tiny: EncoderCheckpoint) -> None:
    weights = dict(tiny.weights)
    weights["mask_emb"] = torch.zeros(7)
    with pytest.raises(RequestError, match="is no hubert that s3prl loads"):
        build_encoder(tiny.with_weights(weights), device=CPU)


def test_a_waveform_too_short_for_a_frame_is_an_error(tiny: EncoderCheckpoint) -> None:
    with pytest.raises(SpeechftError, match="at least one frame, got 399 samples"):
        build_encoder(tiny, device=CPU)([torch.randn(16_000), torch.randn(399)])


def test_an_unknown_size_is_refused(hubert: EncoderFamily) -> None:
    names = ", ".join(hubert.sizes)
    with pytest.raises(RequestError, match=rf"encoder\.size: must be one of {names} for hubert, got 'huge'"):
        random_checkpoint(hubert, "huge", seed=0)


def test_weights_that_are_no_numbers_are_named(tiny: EncoderCheckpoint) -> None:
    weights = dict(tiny.weights)
    weights["layer_norm.weight"] = weights["layer_norm.weight"] * float("nan")
    with pytest.raises(RequestError, match=r"(?m)must be finite, has NaN or Inf in layer_norm\.weight$"):
        build_encoder(tiny.with_weights(weights), device=CPU)
