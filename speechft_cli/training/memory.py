"""Trading time for memory in the Transformer's layers, or memory for time."""

from __future__ import annotations

from functools import partial

from torch.utils.checkpoint import checkpoint

from speechft_cli.encoders.encoder import Encoder


def checkpoint_layers(encoder: Encoder) -> None:
    """Lets each layer's activations be computed again for the gradient instead of being kept."""
    for layer in encoder.layers:
        # dropout draws the same the second time: the generator's state is put back
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def compile_layers(encoder: Encoder) -> None:
    """Compiles each layer by itself: s3prl's code between them breaks a graph of the whole."""
    for layer in encoder.layers:
        layer.compile(dynamic=True)
