"""Heads: what turns features into logits, by SUPERB's shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechft_cli.tasks.specaug import SpecAugment


class RecurrentHead(nn.Module):
    """Linear → bidirectional LSTM → Linear, with SpecAugment on the features while training.

    Source: the ASR head of Speech-FT's released configuration: projection 256, three layers of 256, dropout 0.2.
    """

    def __init__(self, width: int, classes: int, *, hidden: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.augment = SpecAugment(width)
        self.project = nn.Linear(width, hidden)
        self.recurrent = BidirectionalLSTM(hidden, hidden, layers=layers, dropout=0.2)
        self.classify = nn.Linear(2 * hidden, classes)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns logits (B, T, C) for features (B, T, D); frames past an utterance's own are meaningless."""
        if self.training:
            features = self.augment(features, frame_counts)
        projected = self.project(features)  # (B, T, D) -> (B, T, H)
        hidden = self.recurrent(projected, frame_counts)  # (B, T, H) -> (B, T, 2 H)
        logits: Tensor = self.classify(hidden)
        return logits


def large_recurrent_head(width: int, classes: int) -> RecurrentHead:
    """Returns SUPERB's head for recognition and slot filling: projection 1024, two layers of 1024 (42 M weights)."""
    return RecurrentHead(width, classes, hidden=1024, layers=2)


class BidirectionalLSTM(nn.Module):
    """A stack of bidirectional LSTM layers over padded sequences, the same function as nn.LSTM over packed ones.

    Dropout comes after every layer, the last one too, as in s3prl, where nn.LSTM has it between layers only.

    Each direction is a layer of its own and reads an utterance's own frames in its own order, padding last, so that
    nothing need be packed: on a CPU the gradient of a packed sequence takes time quadratic in the number of frames
    (17 to 19 times as long for 600 frames).
    """

    def __init__(self, inputs: int, hidden: int, *, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [inputs, *[2 * hidden] * (layers - 1)]
        self.forward_layers = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
        self.backward_layers = nn.ModuleList(nn.LSTM(width, hidden, batch_first=True) for width in widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns (B, T, 2 * hidden) for features (B, T, inputs); frames past an utterance's own are meaningless."""
        frame = torch.arange(features.shape[1], device=features.device)[None]  # (1, T)
        last = frame_counts[:, None] - 1
        reverse = torch.where(frame <= last, last - frame, frame)[:, :, None]  # (B, T, 1): own frames back to front
        for ahead, back in zip(self.forward_layers, self.backward_layers, strict=True):
            backward = _run(back, features.take_along_dim(reverse, dim=1)).take_along_dim(reverse, dim=1)
            features = self.dropout(torch.cat([_run(ahead, features), backward], dim=-1))
        return features


def _run(layer: nn.Module, features: Tensor) -> Tensor:
    """The output of an LSTM layer (B, T, H) for features (B, T, inputs)."""
    rows = len(features)
    if features.is_cuda:
        # in half precision, for rows by eight, torch asks cuDNN for one kernel per layer instead of several per frame
        features = nn.functional.pad(features, (0, 0, 0, 0, 0, -rows % 8))
    output: Tensor = layer(features)[0]
    return output[:rows]


class FrameHead(nn.Module):
    """Linear → Linear at every frame. Source: SUPERB's head for phoneme recognition, projection 256."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 256)
        self.classify = nn.Linear(256, classes)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns logits (B, T, C) for features (B, T, D); frames past an utterance's own are meaningless."""
        del frame_counts
        logits: Tensor = self.classify(self.project(features))
        return logits


class ActivityHead(nn.Module):
    """LSTM → Linear at every frame. Source: SUPERB's head for diarization, one layer of 512 that reads forward."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(width, 512, batch_first=True)
        self.classify = nn.Linear(512, classes)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns logits (B, T, C) for features (B, T, D); frames past an utterance's own are meaningless."""
        del frame_counts  # what comes after an utterance's own frames can't reach back
        logits: Tensor = self.classify(self.recurrent(features)[0])
        return logits


class PooledHead(nn.Module):
    """Linear → mean over frames → Linear: linear in the mean-pooled features.

    Source: SUPERB's head for utterance-level classification, projection 256.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 256)
        self.classify = nn.Linear(256, classes)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns logits (B, C) for features (B, T, D)."""
        # pooling first is the same function and saves (T - 1) / T of the projection
        logits: Tensor = self.classify(self.project(mean_pool(features, frame_counts)))
        return logits


def mean_pool(features: Tensor, frame_counts: Tensor) -> Tensor:
    """Returns the mean over each utterance's own frames: (B, T, D), (B,) -> (B, D)."""
    frame = torch.arange(features.shape[1], device=features.device)
    own = (frame[None, :] < frame_counts[:, None]).to(features.dtype)  # (B, T)
    return (features * own[:, :, None]).sum(dim=1) / frame_counts[:, None].to(features.dtype)
