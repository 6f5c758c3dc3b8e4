"""Which frames masked prediction hides. Source: HuBERT, Hsu et al. 2021, arXiv 2106.07447, section II-C."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Masking:
    """Spans of frames to hide, as a pre-training checkpoint's configuration says them.

    Attributes:
        share: Spans × their length as a share of the frames; spans may overlap, so fewer frames are hidden.
        length: Of a span [frames].
    """

    share: float = 0.8
    length: int = 10

    def draw(self, frame_counts: Tensor, *, frames: int, generator: torch.Generator | None = None) -> Tensor:
        """Returns which frames are hidden (B, T), at least one span in each utterance and never its padding.

        Args:
            frame_counts: Frames of each utterance (B,).
            frames: T.
            generator: Of the spans' places, on the CPU; None takes torch's global one.
        """
        mask = torch.zeros(len(frame_counts), frames, dtype=torch.bool)
        for row, count in enumerate(frame_counts.tolist()):
            length = min(self.length, max(1, count // 2))  # a mask over a whole short utterance leaves nothing to go by
            places = count - length + 1
            # rounded up or down at random, so that the mean is exact
            spans = int(self.share * count / length + float(torch.rand((), generator=generator)))
            starts = torch.randperm(places, generator=generator)[: max(1, min(spans, places))]
            mask[row, (starts[:, None] + torch.arange(length)).flatten()] = True
        return mask.to(frame_counts.device)
