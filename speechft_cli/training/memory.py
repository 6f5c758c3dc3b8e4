"""Trading time for memory in the network, or memory for time."""

from __future__ import annotations

from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from speechft_cli.encoders.encoder import Encoder


def checkpoint_layers(encoder: Encoder) -> None:
    """Lets each layer's activations be computed again for the gradient instead of being kept."""
    for layer in encoder.layers:
        # dropout draws the same the second time: the generator's state is put back
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def compile_layers(encoder: Encoder, *, backend: str = "inductor") -> None:
    """Compiles each layer by itself: s3prl's code between them breaks a graph of the whole.

    Args:
        encoder: Its layers' weights keep their names.
        backend: torch.compile's.
    """
    for layer in encoder.layers:
        # not the layer as a module: s3prl's hooks on it differ from layer to layer, and each would be compiled anew
        layer.forward = torch.compile(layer.forward, dynamic=True, backend=backend)
