"""A head that turns an utterance into a vector by which speakers are told apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Length of a speaker's vector.
EMBEDDING = 512
#: (frames a layer looks at, distance between them, its width)
_LAYERS = ((5, 1, 512), (3, 2, 512), (3, 3, 512), (1, 1, 512), (1, 1, 1500))
#: Frames that the layers need to give one.
RECEPTIVE_FIELD = 1 + sum((size - 1) * dilation for size, dilation, _ in _LAYERS)


class XVectorHead(nn.Module):
    """Linear → five time-delay layers → mean and deviation over frames → two linear layers → cosines to speakers.

    Source: SUPERB's head for speaker verification; Snyder et al. 2018, "X-vectors".
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, EMBEDDING)
        widths = [EMBEDDING, *(size for _, _, size in _LAYERS)]
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, size, dilation=dilation)
            for inputs, (size, dilation, outputs) in zip(widths, _LAYERS, strict=False)
        )
        self.embed = nn.Linear(2 * widths[-1], EMBEDDING)
        self.classify = nn.Linear(EMBEDDING, EMBEDDING)
        self.speakers = nn.Parameter(torch.empty(classes, EMBEDDING))
        nn.init.xavier_normal_(self.speakers)

    def forward(self, features: Tensor, frame_counts: Tensor) -> Tensor:
        """Returns the utterance's vector, then its cosine to each training speaker: (B, T, D) -> (B, E + C).

        An utterance of fewer frames than the receptive field is heard with zeros after it.
        """
        is_padding = torch.arange(features.shape[1], device=features.device)[None] >= frame_counts[:, None]  # (B, T)
        hidden = self.project(features).masked_fill(is_padding[:, :, None], 0).transpose(1, 2)  # (B, T, D) -> (B, E, T)
        hidden = F.pad(hidden, (0, max(0, RECEPTIVE_FIELD - hidden.shape[2])))
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        counts = (frame_counts - RECEPTIVE_FIELD + 1).clamp(min=1)
        embedding = torch.relu(self.embed(_mean_and_deviation(hidden, counts)))
        speaker = torch.relu(self.classify(embedding))
        cosines = F.normalize(speaker, dim=1) @ F.normalize(self.speakers, dim=1).T
        return torch.cat([embedding, cosines], dim=1)


def _mean_and_deviation(hidden: Tensor, counts: Tensor) -> Tensor:
    """Returns both over each utterance's own frames: (B, H, T), (B,) -> (B, 2 H)."""
    own = torch.arange(hidden.shape[2], device=hidden.device)[None, None] < counts[:, None, None]  # (B, 1, T)
    mean = (hidden * own).sum(dim=2) / counts[:, None]
    squares = ((hidden - mean[:, :, None]).square() * own).sum(dim=2)
    variance = squares / (counts[:, None] - 1).clamp(min=1)
    # the root has no gradient at 0, where a unit is silent throughout
    return torch.cat([mean, variance.clamp(min=1e-12).sqrt()], dim=1)
