"""SpecAugment on an encoder's output, Park et al. 2019, arXiv 1904.08779, with Speech-FT's released settings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Width the released setting of the feature masks belongs to: HuBERT base.
_REFERENCE_WIDTH = 768


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
        warped = torch.stack(
            [
                _time_warp(utterance, int(count))
                for utterance, count in zip(features, frame_counts.tolist(), strict=True)
            ]
        )
        time = _mask(frame_counts, length=features.shape[1], count=2, largest=40)  # (B, T)
        widths = torch.full_like(frame_counts, features.shape[2])
        feature = _mask(widths, length=features.shape[2], count=4, largest=self.feature_mask)  # (B, D)
        return warped.masked_fill(time[:, :, None] | feature[:, None, :], 0.0)


def _time_warp(features: Tensor, count: int, window: int = 5) -> Tensor:
    """Moves one inner frame by at most `window` frames and stretches both sides to fit: (T, D) -> (T, D)."""
    if count <= 2 * window:
        return features
    centre = int(torch.randint(window, count - window, ()))
    moved = int(torch.randint(centre - window, centre + window, ())) + 1  # in 1 .. count - 1: both sides keep a frame
    own = features[:count].T[None]  # (T, D) -> (1, D, T)
    left = F.interpolate(own[..., :centre], size=moved, mode="linear", align_corners=False)
    right = F.interpolate(own[..., centre:], size=count - moved, mode="linear", align_corners=False)
    return torch.cat([torch.cat([left, right], dim=-1)[0].T, features[count:]])


def _mask(limits: Tensor, *, length: int, count: int, largest: int) -> Tensor:
    """Returns `count` random stretches per row as a boolean mask (B, length), each inside the row's limit (B,)."""
    rows = len(limits)
    widths = torch.randint(0, largest + 1, (rows, count), device=limits.device).minimum(limits[:, None])
    room = (limits[:, None] - widths).clamp(min=0)
    starts = (torch.rand(rows, count, device=limits.device) * (room + 1)).long()
    position = torch.arange(length, device=limits.device)
    stretches = (position >= starts[:, :, None]) & (position < (starts + widths)[:, :, None])  # (B, count, length)
    return stretches.any(dim=1)
