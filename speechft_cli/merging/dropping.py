"""Dropping random elements of task vectors, the same ones wherever and whenever it is done."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def drop(vector: Tensor, density: float, *, rescale: bool, seed: int, name: str, number: int) -> Tensor:
    """Keeps each element with probability `density`, in place.

    Args:
        vector: A task vector.
        density: Share that is kept; 1 − p in the paper's words.
        rescale: Divide what is kept by `density`, so that the expectation stays.
        seed: Of the whole merge.
        name: Of the tensor: neighbours must not lose the same elements.
        number: Of the tuned model, for the same reason.

    Source: Yu et al. 2024, DARE, arXiv 2311.03099, section 3.2.
    """
    if density == 1:
        return vector
    digest = hashlib.sha256(f"{seed} {number} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
    # uniform numbers, not torch.bernoulli, whose stream depends on how torch was built
    vector *= torch.rand(vector.shape, generator=generator) < density
    return vector.div_(density) if rescale and density > 0 else vector
