"""What padding does to an utterance's features, family by family, and the way in which it does nothing."""

from __future__ import annotations

import pytest
import torch

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder
from tests.encoders.layouts import LAYOUTS, tiny, voice

CPU = torch.device("cpu")
#: Layouts that s3prl pads exactly: by the CNN's formula and without a GroupNorm, or (DeCoAR 2.0) after normalising.
EXACT_IN_S3PRL = {("wav2vec2", "large"), ("decoar2", "base")}
LENGTHS = (16_000, 9_371, 12_222, 15_999)


def farthest(encoder: Encoder) -> float:
    """The largest difference between a feature in a batch and the same one alone."""
    waveforms = [voice(length, seed=seed) for seed, length in enumerate(LENGTHS)]
    with torch.no_grad():
        batch = encoder(waveforms)
        alone = [encoder([waveform]) for waveform in waveforms]
    return max(
        (layer[index, :count] - own[0]).abs().max().item()
        for index, count in enumerate(batch.frame_counts.tolist())
        for layer, own in zip(batch.hidden_states, alone[index].hidden_states, strict=True)
    )


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_with_exact_padding_an_utterance_has_the_features_it_has_alone(name: str, size: str) -> None:
    assert farthest(build_encoder(tiny(name, size), device=CPU, exact_padding=True)) < 1e-5


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_s3prls_padding_changes_features_in_all_layouts_but_two(name: str, size: str) -> None:
    difference = farthest(build_encoder(tiny(name, size), device=CPU))
    assert difference < 1e-5 if (name, size) in EXACT_IN_S3PRL else difference > 1e-3


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_exact_padding_leaves_weights_and_batches_of_equal_length_alone(name: str, size: str) -> None:
    checkpoint = tiny(name, size)
    stock, exact = (build_encoder(checkpoint, device=CPU, exact_padding=choice) for choice in (False, True))
    waveforms = [voice(8_000, seed=1), voice(8_000, seed=2)]
    with torch.no_grad():
        pairs = zip(stock(waveforms).hidden_states, exact(waveforms).hidden_states, strict=True)

    assert list(stock.weights()) == list(exact.weights())
    assert all(torch.equal(one, other) for one, other in pairs)


def test_gradients_flow_through_an_exact_batch() -> None:
    encoder = build_encoder(tiny("hubert", "base"), device=CPU, exact_padding=True).train()
    encoder([voice(8_000), voice(6_000)]).last.sum().backward()
    trained = {name for name, parameter in encoder.model.named_parameters() if parameter.grad is not None}

    assert "encoder.layers.0.fc1.weight" in trained
    assert not any(encoder.family.is_cnn(name) or encoder.family.is_untrained(name) for name in trained)
