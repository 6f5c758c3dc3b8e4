"""Sequence tasks trained with connectionist temporal classification (Graves et al. 2006); class 0 is the blank."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

BLANK = 0


def ctc_loss(logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    """Returns the CTC loss of a batch, each utterance divided by its target's length, then averaged.

    Args:
        logits: (B, T, C), frames past an utterance's own are ignored.
        frame_counts: (B,).
        targets: Class indices without blanks. A target longer than its frames adds nothing.
    """
    log_probabilities = F.log_softmax(logits.float(), dim=-1).transpose(0, 1)  # (B, T, C) -> (T, B, C)
    flat = torch.tensor([index for target in targets for index in target], dtype=torch.long, device=logits.device)
    lengths = torch.tensor([len(target) for target in targets], device=logits.device)
    return F.ctc_loss(log_probabilities, flat, frame_counts, lengths, blank=BLANK, zero_infinity=True)


def greedy(logits: Tensor, frame_counts: Tensor) -> list[list[int]]:
    """Returns the class indices of the best path: repeats merged, blanks dropped.

    Args:
        logits: (B, T, C).
        frame_counts: (B,).
    """
    best = logits.argmax(dim=-1).tolist()  # (B, T, C) -> (B, T)
    return [
        [index for index, _ in groupby(path[:count]) if index != BLANK]
        for path, count in zip(best, frame_counts.tolist(), strict=True)
    ]


def frames_needed(target: Sequence[int]) -> int:
    """Returns the frames of the shortest path: one per symbol, and a blank between two equal ones."""
    return len(target) + sum(left == right for left, right in pairwise(target))
