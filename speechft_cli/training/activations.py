"""How much memory the activations of a batch take, told from three short ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.utterance import Seconds
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.training.precision import Precision

#: What is measured [s]: long enough for every head, short enough to cost little.
_MEASURED = (1, 2, 3)


def activation_bytes(
    encoder: Encoder, head: nn.Module, *, count: int, seconds: Seconds, precision: Precision, is_frozen: bool
) -> int:
    """Returns about how many bytes autograd keeps of a batch between forward and backward pass.

    Most of them grow with the length of an utterance, attention's where it is not fused with its square; weights that
    autocast made smaller are there once. All three are fitted to what one, two and three seconds of silence keep.

    Args:
        encoder: Anywhere.
        head: What is trained on it.
        count: Utterances in the batch.
        seconds: Length of the longest, to which all are padded [s].
        precision: What products are computed in.
        is_frozen: Whether the encoder is, so that nothing is kept of it.
    """
    one, two, three = (
        _kept(encoder, head, samples=each * SAMPLE_RATE, precision=precision, is_frozen=is_frozen) for each in _MEASURED
    )
    # a + b + c = one, a + 2 b + 4 c = two, a + 3 b + 9 c = three
    square = max(0.0, (three - 2 * two + one) / 2)
    linear = (three - one) / 2 - 4 * square
    fixed = max(0.0, one - linear - square)
    return round(fixed + count * (linear * seconds + square * seconds**2))


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
