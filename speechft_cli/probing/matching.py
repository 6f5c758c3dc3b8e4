"""Dynamic time warping of short queries over long documents, many documents at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

#: What the cosine distance's span within a document is at least: a document of one frame has none.
_LEAST_SPAN = 1e-9


def query_costs(query: Tensor, documents: Tensor, frame_counts: Tensor) -> Tensor:
    """Returns how badly a query matches its best place in each document, per query frame (M,).

    Frames are compared by exp(cosine distance) - 1, which is then stretched to 0 … 1 over the document for each frame
    of the query: what matters is not how near a frame is but how much nearer than the others.

    Args:
        query: (T, D), rows of norm 1.
        documents: (M, T_most, D), rows of norm 1; frames past a document's own may hold anything finite.
        frame_counts: (M,).

    Source: SUPERB's configuration of the task, Yang et al. 2021, arXiv 2105.01051.
    """
    # (T, D) x (D, M T_most) -> (T, M, T_most)
    distances = torch.expm1(1 - (query @ documents.flatten(0, 1).T).unflatten(1, documents.shape[:2]))  # type: ignore[no-untyped-call]
    is_past = torch.arange(documents.shape[1], device=query.device) >= frame_counts[:, None]  # (M, T_most)
    low = distances.masked_fill(is_past, torch.inf).amin(dim=2, keepdim=True)
    high = distances.masked_fill(is_past, -torch.inf).amax(dim=2, keepdim=True)
    stretched = (distances - low) / (high - low).clamp(min=_LEAST_SPAN)
    return subsequence_costs(stretched.masked_fill_(is_past, torch.inf)) / len(query)


def subsequence_costs(distances: Tensor) -> Tensor:
    """Returns the cost of the cheapest path through each document (M,).

    A path goes through all frames of the query in order, begins and ends anywhere in the document, and from one frame
    of the query to the next it stays, goes on by one frame of the document, or skips one.

    Args:
        distances: (T, M, T_most) of each frame of the query to each frame of each document; infinite past its end.

    Source: the asymmetric step pattern of Sakoe and Chiba 1978, open at both ends.
    """
    costs = distances[0]
    for row in distances[1:]:
        best = costs.clone()
        torch.minimum(best[:, 1:], costs[:, :-1], out=best[:, 1:])
        torch.minimum(best[:, 2:], costs[:, :-2], out=best[:, 2:])
        costs = best.add_(row)
    return costs.amin(dim=1)


class Normaliser:
    """Mean and deviation of each feature, of all layers, gathered utterance by utterance."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, states: Tensor) -> None:
        """Takes the hidden states (L, T, D) of an utterance into account."""
        exact = states.double()
        self._count += states.shape[1]
        self._sum = self._sum + exact.sum(dim=1)  # (L, D)
        self._squares = self._squares + exact.square().sum(dim=1)

    def __call__(self, states: Tensor, layers: Sequence[int]) -> Tensor:
        """Returns some layers of hidden states, each feature at mean 0 and variance 1, each frame at norm 1."""
        mean = torch.as_tensor(self._sum / self._count)
        variance = torch.as_tensor(self._squares / self._count) - mean.square()
        deviation = variance.clamp(min=0).sqrt().clamp(min=_LEAST_SPAN)
        chosen = list(layers)
        scaled = (states[chosen] - mean[chosen, None].float()) / deviation[chosen, None].float()
        return F.normalize(scaled, dim=2)


def pad(documents: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Returns documents of one layer, M times (T_i, D), as (M, T_most, D), and their frame counts (M,)."""
    counts = torch.tensor([len(each) for each in documents], device=documents[0].device)
    return pad_sequence(list(documents), batch_first=True), counts
