from __future__ import annotations

import numpy as np
import torch

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.training.clusters import fit_clusters, mfcc, nearest_clusters


def test_there_is_an_mfcc_frame_for_every_frame_of_the_encoder(hubert: EncoderFamily) -> None:
    for count in (400, 719, 720, 1040, 16_000, 16_319, 16_321, 40_001):
        assert mfcc(torch.randn(count)).shape == (hubert.frame_count(count), 39), count


def test_an_mfcc_frame_hears_what_the_encoders_frame_hears() -> None:
    # frame 30 hears samples 9600 to 9999; differences look two frames of 10 ms, twice, to both sides
    waveform = torch.randn(32_000, generator=torch.Generator().manual_seed(0))
    changed = waveform.clone()
    changed[9_600:10_000] *= 2.0
    differs = (mfcc(waveform)[:, :13] - mfcc(changed)[:, :13]).abs().amax(dim=1) > 1e-3

    assert differs.nonzero()[:, 0].tolist() == [29, 30, 31]


def test_well_separated_frames_are_found_again() -> None:
    random = np.random.default_rng(0)
    centres = random.standard_normal((5, 8)) * 20
    truth = random.integers(0, 5, 2_000)
    frames = (centres[truth] + random.standard_normal((2_000, 8))).astype(np.float32)
    fitted = fit_clusters(frames, clusters=5, seed=0)
    units = nearest_clusters(torch.from_numpy(frames), torch.from_numpy(fitted)).numpy()

    assert len({(int(a), int(b)) for a, b in zip(truth, units, strict=True)}) == 5  # a relabelling
    assert np.array_equal(fitted, fit_clusters(frames, clusters=5, seed=0))


def test_the_nearest_centre_is_the_one_at_the_smallest_distance() -> None:
    frames, centres = torch.randn(50, 6), torch.randn(7, 6)

    assert torch.equal(nearest_clusters(frames, centres), torch.cdist(frames, centres).argmin(dim=1))
