"""SpecAugment on an encoder's output, Park et al. 2019, arXiv 1904.08779, with Speech-FT's released settings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Width the released setting of the feature masks belongs to: HuBERT base.
_REFERENCE_WIDTH = 768
#: Most frames that the warp moves a frame by.
_WINDOW = 5


class SpecAugment(nn.Module):
    """Time warp (window 5), two time masks of at most 40 frames, four feature masks of at most 50 of 768 features.

    For encoders of another width the feature masks keep that proportion. Masked values become 0.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.feature_mask = max(1, round(50 * width / _REFERENCE_WIDTH))

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns augmented features (B, T, D), every utterance augmented by itself.

        Args:
            features: (B, T, D).
            frame_counts: (B,); frames past an utterance's own are left as they are by the warp.
        """
        warped = _time_warp(features, frame_counts)
        time = _mask(frame_counts, length=features.shape[1], count=2, largest=40)  # (B, T)
        widths = torch.full_like(frame_counts, features.shape[2])
        feature = _mask(widths, length=features.shape[2], count=4, largest=self.feature_mask)  # (B, D)
        return warped.masked_fill(time[:, :, None] | feature[:, None, :], 0.0)


def _time_warp(features: Tensor, frame_counts: Tensor) -> Tensor:
    """Moves one inner frame of each utterance by at most `_WINDOW` frames, and stretches both sides to fit.

    The whole batch at once, and without asking the device how long an utterance is.
    """
    batch, length, width = features.shape
    counts = frame_counts[:, None]
    drawn = torch.rand(2, batch, 1, device=features.device)
    centre = _WINDOW + (drawn[0] * (counts - 2 * _WINDOW)).long()  # in _WINDOW .. count - _WINDOW - 1
    moved = centre - _WINDOW + 1 + (drawn[1] * 2 * _WINDOW).long()  # in 1 .. count - 1: both sides keep a frame
    frame = torch.arange(length, device=features.device)[None]  # (1, T)
    is_left = frame < moved
    first, last = torch.where(is_left, 0, centre), torch.where(is_left, centre, counts) - 1
    scale = torch.where(is_left, centre / moved, (counts - centre) / (counts - moved))
    begin = torch.where(is_left, 0, moved)
    source = (first + (frame - begin + 0.5) * scale - 0.5).maximum(first).minimum(last)
    is_warped = (frame < counts) & (counts > 2 * _WINDOW)
    source = torch.where(is_warped, source, frame)  # (B, T): which frame, or what between two, stands there
    before = source.long()
    after = torch.where(is_warped, (before + 1).minimum(last), before)
    share = (source - before)[:, :, None].to(features.dtype)
    rows = features.reshape(batch * length, width)
    offset = length * torch.arange(batch, device=features.device)[:, None]
    left = rows.index_select(0, (offset + before).flatten()).view_as(features)
    right = rows.index_select(0, (offset + after).flatten()).view_as(features)
    return torch.lerp(left, right, share)


def _mask(limits: Tensor, *, length: int, count: int, largest: int) -> Tensor:
    """Returns `count` random stretches per row as a boolean mask (B, length), each inside the row's limit (B,)."""
    rows = len(limits)
    widths = torch.randint(0, largest + 1, (rows, count), device=limits.device).minimum(limits[:, None])
    room = (limits[:, None] - widths).clamp(min=0)
    starts = (torch.rand(rows, count, device=limits.device) * (room + 1)).long()
    position = torch.arange(length, device=limits.device)
    stretches = (position >= starts[:, :, None]) & (position < (starts + widths)[:, :, None])  # (B, count, length)
    return stretches.any(dim=1)
