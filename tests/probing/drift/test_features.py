"""Drift of features on a true tiny encoder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.probing.drift.features import Encode, Interpolation, feature_drift, sample
from speechft_cli.probing.encoding import encode_batch

CPU = torch.device("cpu")


def nobody(done: int) -> None:
    """Is told the utterances done."""


@pytest.fixture(scope="module")
def utterances(manifests: Path) -> list[Utterance]:
    return list(read_manifest(manifests, "dev"))


def encoding(checkpoint: EncoderCheckpoint) -> Encode:
    encoder = build_encoder(checkpoint, device=CPU)
    return lambda utterance: encode_batch(encoder, [utterance], [read_waveform(utterance)])[0]


def noisy(checkpoint: EncoderCheckpoint, amount: float) -> EncoderCheckpoint:
    """The encoder with noise on the weights of its second layer."""
    random = torch.Generator().manual_seed(0)
    weights = {
        name: tensor + amount * tensor.std() * torch.randn(tensor.shape, generator=random)
        if ".layers.1." in name and tensor.dim() == 2
        else tensor
        for name, tensor in checkpoint.weights.items()
    }
    return checkpoint.with_weights(weights)


def test_the_base_has_not_moved(tiny: EncoderCheckpoint, utterances: list[Utterance]) -> None:
    base, done = encoding(tiny), []
    for drift in feature_drift(base, base, utterances, between=Interpolation(base, 0.3), advance=done.append):
        assert (drift.cka, drift.cosine, drift.llfc, drift.variance) == pytest.approx((1, 1, 1, 1), abs=1e-5)
    assert done == [1, 2, 3, 4]


def test_more_noise_is_more_drift_from_the_noisy_layer_on(tiny: EncoderCheckpoint, utterances: list[Utterance]) -> None:
    base = encoding(tiny)
    little, much = (
        feature_drift(base, encoding(noisy(tiny, amount)), utterances, advance=nobody) for amount in (0.3, 1.0)
    )
    for layer in (0, 1):  # before the noisy layer
        assert much[layer].cka == pytest.approx(1, abs=1e-5)
    assert much[2].cka < little[2].cka < 1 - 1e-6
    assert much[2].cosine < little[2].cosine < 0.9999
    assert (much[2].llfc, much[2].variance) == (None, None)


def test_merged_features_are_held_against_interpolated_ones(utterances: list[Utterance]) -> None:
    random = torch.Generator().manual_seed(0)
    ends = {each.id: torch.randn(2, 2, 50, 4, generator=random) for each in utterances}
    base, tuned = (lambda each: ends[each.id][0]), (lambda each: ends[each.id][1])

    def collapsed(utterance: Utterance) -> torch.Tensor:
        return 0.5 * (0.75 * ends[utterance.id][0] + 0.25 * ends[utterance.id][1])

    for drift in feature_drift(base, collapsed, utterances, between=Interpolation(tuned, 0.25), advance=nobody):
        assert drift.llfc == pytest.approx(1)  # a direction is not a length
        assert drift.variance == pytest.approx(0.25)


def test_labels_are_not_looked_at_and_a_sample_is_the_same_each_time(utterances: list[Utterance]) -> None:
    some, backwards = Utterances.of(utterances), Utterances.of(utterances[::-1])
    by_hash = sorted((each.id for each in utterances), key=lambda name: hashlib.sha256(name.encode()).digest())
    lengths = {each.id: each.duration for each in utterances}
    chosen = [each.id for each in sample(some, 2.5)]
    assert chosen == [each.id for each in sample(backwards, 2.5)] == by_hash[: len(chosen)]
    assert sum(map(lengths.__getitem__, chosen)) <= 2.5 < sum(map(lengths.__getitem__, by_hash[: len(chosen) + 1]))
    exactly = lengths[by_hash[0]] + lengths[by_hash[1]]
    assert len(sample(some, exactly)) == 2
    assert len(sample(some, 0.1)) == 1
    assert len(sample(some, 1e9)) == len(utterances)
