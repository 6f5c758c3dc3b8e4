"""Naming files and weights by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from speechft_cli.io.ahead import cores

if TYPE_CHECKING:  # naming a file must cost neither torch nor numpy
    from torch import Tensor

    from speechft_cli.io.arrays import Array


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_hash(weights: Mapping[str, Tensor] | Mapping[str, Array]) -> str:
    """Returns the SHA-256 over names, dtypes, shapes and bytes of all tensors, in the order of their names.

    The same weights have the same hash in whatever file format they lie. It is the hash of the tensors' hashes, so
    that several cores share the work and a tensor that is known already need not be read again.
    """
    with ThreadPoolExecutor(cores()) as pool:
        digests = dict(zip(weights, pool.map(tensor_digest, weights.values()), strict=True))
    return combined_hash(digests)


def tensor_digest(tensor: Tensor | Array) -> bytes:
    """Returns the SHA-256 over dtype, shape and bytes of a tensor."""
    import numpy as np

    from speechft_cli.io.arrays import array_bytes, dtype_name, to_array

    array = tensor if isinstance(tensor, np.ndarray) else to_array(tensor)
    digest = hashlib.sha256(f"torch.{dtype_name(array)} {array.shape}\n".encode())
    digest.update(array_bytes(array))
    return digest.digest()


def combined_hash(digests: Mapping[str, bytes]) -> str:
    """Returns the hash of weights from the digests of their tensors, as `weights_hash` does."""
    whole = hashlib.sha256()
    for name in sorted(digests):
        whole.update(f"{name}\n".encode() + digests[name])
    return whole.hexdigest()
