"""Dropping random elements of task vectors, the same ones wherever and whenever it is done."""

from __future__ import annotations

import hashlib

import numpy as np

from speechft_cli.io.arrays import Array


def drop(vector: Array, density: float, *, rescale: bool, seed: int, name: str, number: int) -> Array:
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
    # the raw numbers of Philox, which no version and no machine changes; each makes two of 32 bits
    count = vector.size
    raw = np.random.Philox(key=int.from_bytes(digest[:16], "big")).random_raw((count + 1) // 2)
    kept = raw.view(np.uint32)[:count].reshape(vector.shape) < round(density * 2**32)
    vector *= kept
    if rescale and density > 0:
        vector /= density
    return vector
