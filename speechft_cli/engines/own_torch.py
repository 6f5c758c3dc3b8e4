"""What an engine finds of torch and leaves of it, whoever calls it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def own_torch(device: torch.device | None = None) -> Iterator[None]:
    """Inside the block gradients are computed; after it the caller's random numbers go on where they were.

    Networks begin with random weights, whatever is loaded then. A notebook may call from within `torch.no_grad()`.

    Args:
        device: The GPU whose random numbers are drawn, too; the CPU's always are.
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), torch.inference_mode(False):
        yield
