from __future__ import annotations

import torch

from speechft_cli.tasks.specaug import SpecAugment, _time_warp


def test_masks_are_as_wide_as_the_released_setting_allows() -> None:
    torch.manual_seed(0)
    augment = SpecAugment(768)
    counts = torch.tensor([500, 300])
    for _ in range(20):
        masked = augment(torch.ones(2, 500, 768), counts) == 0

        rows = masked.all(dim=2).sum(dim=1)  # whole frames
        columns = masked.all(dim=1).sum(dim=1)  # whole features
        assert int(rows.max()) <= 2 * 40
        assert int(columns.max()) <= 4 * 50
        assert not masked[1, 300:].all(dim=1).any()  # time masks lie inside the utterance


def test_an_encoder_of_another_width_keeps_the_proportion() -> None:
    assert SpecAugment(768).feature_mask == 50
    assert SpecAugment(128).feature_mask == 8


def test_the_warp_keeps_length_ends_and_padding() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(40.0)[:, None].repeat(1, 3)
    for _ in range(50):
        warped = _time_warp(ramp, 30)

        assert warped.shape == ramp.shape
        assert torch.equal(warped[30:], ramp[30:])
        assert float((warped[:30] - ramp[:30]).abs().max()) < 7  # less than the window and an interpolated frame
        assert bool((warped[:30].diff(dim=0) >= 0).all())


def test_utterances_too_short_to_warp_stay() -> None:
    short = torch.randn(10, 3)

    assert torch.equal(_time_warp(short, 10), short)
