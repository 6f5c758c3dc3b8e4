from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from speechft_cli.tasks.specaug import SpecAugment, _mask, _time_warp


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


def test_there_are_two_masks_of_frames_and_four_of_features() -> None:
    torch.manual_seed(0)
    masked = SpecAugment(768)(torch.ones(300, 500, 768), torch.full((300,), 500)) == 0
    frames, features = masked.all(dim=2), masked.all(dim=1)
    assert torch.equal(masked, frames[:, :, None] | features[:, None, :])
    assert max(_stretches(row) for row in frames) == 2
    assert max(_stretches(row) for row in features) == 4
    # two masks of 0 to 40 frames, on average 20, which overlap by 20 * 20 / 500
    assert abs(float(frames.sum(dim=1).float().mean()) - 39.2) < 3


def test_a_mask_has_any_width_and_any_place_alike() -> None:
    torch.manual_seed(0)
    masks = _mask(torch.full((30_000,), 12), length=20, count=1, largest=4)
    assert not masks[:, 12:].any()
    widths = masks.sum(dim=1)
    torch.testing.assert_close(widths.bincount() / 30_000, torch.full((5,), 0.2), atol=0.01, rtol=0)
    starts = masks[widths == 4].int().argmax(dim=1).bincount()
    torch.testing.assert_close(starts / starts.sum(), torch.full((9,), 1 / 9), atol=0.02, rtol=0)


def test_an_encoder_of_another_width_keeps_the_proportion() -> None:
    assert SpecAugment(768).feature_mask == 50
    assert SpecAugment(128).feature_mask == 8


def test_the_warp_keeps_length_ends_and_padding() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(40.0)[:, None].repeat(50, 1, 3)
    warped = _time_warp(ramp, torch.full((50,), 30))

    assert warped.shape == ramp.shape
    assert torch.equal(warped[:, 30:], ramp[:, 30:])
    assert float((warped[:, :30] - ramp[:, :30]).abs().max()) < 7  # less than the window and an interpolated frame
    assert bool((warped[:, :30].diff(dim=1) >= 0).all())
    assert len({tuple(row) for row in warped[:, :, 0].tolist()}) > 20


def test_both_sides_are_stretched_as_torch_interpolates() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(30.0)[None, :, None]
    features = torch.randn(1, 30, 4)
    for _ in range(20):
        state = torch.get_rng_state()
        steps = _time_warp(ramp, torch.tensor([30]))[0, :, 0].diff()
        torch.set_rng_state(state)
        warped = _time_warp(features, torch.tensor([30]))
        centre, moved = next(
            (centre, moved)
            for centre in range(5, 25)
            for moved in range(centre - 4, centre + 6)
            if moved < 30 and torch.allclose(_stretched(ramp, centre, moved)[0, :, 0].diff(), steps, atol=1e-4)
        )
        torch.testing.assert_close(warped, _stretched(features, centre, moved))


def test_every_inner_frame_moves_by_up_to_the_window() -> None:
    torch.manual_seed(0)
    ramp = torch.arange(14.0)[None, :, None]
    warped = _time_warp(ramp.repeat(4000, 1, 1), torch.full((4000,), 14))
    possible = [_stretched(ramp, centre, moved) for centre in range(5, 9) for moved in range(centre - 4, centre + 6)]
    found = {tuple(row) for row in (1000 * warped[:, :, 0]).round().long().tolist()}
    assert found == {tuple((1000 * each[0, :, 0]).round().long().tolist()) for each in possible}


def _stretches(row: Tensor) -> int:
    return int((row.int().diff(prepend=torch.zeros(1, dtype=torch.int)) == 1).sum())


def _stretched(features: Tensor, centre: int, moved: int) -> Tensor:
    columns = features.transpose(1, 2)
    sides = (columns[..., :centre], moved), (columns[..., centre:], columns.shape[2] - moved)
    stretched = [F.interpolate(side, size=size, mode="linear", align_corners=False) for side, size in sides]
    return torch.cat(stretched, dim=-1).transpose(1, 2)


def test_utterances_too_short_to_warp_stay() -> None:
    features = torch.randn(2, 40, 3)
    warped = _time_warp(features, torch.tensor([10, 40]))

    assert torch.equal(warped[0], features[0])
    assert not torch.equal(warped[1], features[1])
