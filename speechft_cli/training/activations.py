"""How much memory the activations of a batch take, told from two short ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.utterance import Seconds
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.training.precision import Precision

#: What is measured [samples]: long enough for every head, short enough to cost little.
_SHORT, _LONG = SAMPLE_RATE, 2 * SAMPLE_RATE


def activation_bytes(
    encoder: Encoder, head: nn.Module, *, count: int, seconds: Seconds, precision: Precision, is_frozen: bool
) -> int:
    """Returns about how many bytes autograd keeps of a batch between forward and backward pass.

    Most of them grow with the length of an utterance, attention's where it is not fused with its square; both are
    fitted to what one and two seconds of silence keep.

    Args:
        encoder: Anywhere.
        head: What is trained on it.
        count: Utterances in the batch.
        seconds: Length of the longest, to which all are padded [s].
        precision: What products are computed in.
        is_frozen: Whether the encoder is, so that nothing is kept of it.
    """
    short, long = (
        _kept(encoder, head, samples=samples, precision=precision, is_frozen=is_frozen) for samples in (_SHORT, _LONG)
    )
    # a + b = short, 2 a + 4 b = long, at one and two seconds
    square = max(0.0, (long - 2 * short) / 2)
    linear = short - square
    return round(count * (linear * seconds + square * seconds**2))


def _kept(encoder: Encoder, head: nn.Module, *, samples: int, precision: Precision, is_frozen: bool) -> int:
    """Bytes kept of one utterance of silence, those of weights left out."""
    device = next(head.parameters()).device
    weights = {each.untyped_storage().data_ptr() for module in (encoder, head) for each in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()  # what several nodes keep is there once
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), precision.autocast(device):
        with torch.set_grad_enabled(not is_frozen):
            encoded = encoder([torch.zeros(samples, device=device)])
        logits = head(encoded.last, encoded.frame_counts)
        del logits  # until here all that is kept is alive, so no storage comes twice under one address
    return sum(kept.values())
