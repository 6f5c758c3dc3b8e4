"""A contract that every encoder family in the catalogue keeps; a new leaf is tested before it has a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.encoders.names import family_of
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint


@pytest.fixture(params=list(ENCODERS))
def family(request: pytest.FixtureRequest) -> EncoderFamily:
    return ENCODERS.get(request.param)


@pytest.fixture
def checkpoint(family: EncoderFamily) -> EncoderCheckpoint:
    return random_checkpoint(family, "tiny", seed=0)


def test_a_family_has_its_catalogue_name_and_a_published_base(family: EncoderFamily) -> None:
    assert ENCODERS.get(family.name) is family
    assert family.published[family.stock].url.startswith("https://")
    assert all(family_of(name) == family.name for name in family.published)


def test_a_random_encoder_survives_its_file(checkpoint: EncoderCheckpoint, tmp_path: Path) -> None:
    converted.write(checkpoint, tmp_path / "encoder.pt")
    read = read_encoder(tmp_path / "encoder.pt", checkpoint.family)
    waveform = torch.randn(8_000)
    with torch.no_grad():
        expected = build_encoder(checkpoint, device=torch.device("cpu"))([waveform])
        found = build_encoder(read, device=torch.device("cpu"))([waveform])

    assert all(torch.equal(one, other) for one, other in zip(expected.hidden_states, found.hidden_states, strict=True))


def test_frames_of_many_lengths_are_counted_at_once(checkpoint: EncoderCheckpoint) -> None:
    family = checkpoint.family
    lengths = [0, 1, 159, family.fewest_samples - 1, family.fewest_samples, 719, 720, 16_000, 250_001]
    one_by_one = [family.frame_count(length) for length in lengths]
    assert one_by_one[:5] == [0, 0, 0, 0, 1]
    assert family.frame_count(np.array(lengths)).tolist() == one_by_one


def test_the_facts_fit_the_network(checkpoint: EncoderCheckpoint) -> None:
    family, encoder = checkpoint.family, build_encoder(checkpoint, device=torch.device("cpu"))
    names = list(checkpoint.weights)
    for prefix in (*family.cnn_prefixes, *family.untrained_prefixes):
        assert any(name.startswith(prefix) for name in names), prefix
    encoded = encoder([torch.randn(9_000), torch.randn(12_345)])

    assert encoded.last.shape[1] == family.frame_count(12_345)
    assert encoded.frame_counts.tolist() == [family.frame_count(9_000), family.frame_count(12_345)]
    assert len(encoded.hidden_states) == len(encoder.layers) + 1
    assert encoded.last.shape[2] == encoder.width
