"""Which kernels a GPU computes with, where torch's own choice takes longer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.training.toeplitz import convolve

#: All but cuDNN's.
_ATTENTION = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


def attention_for_any_length() -> AbstractContextManager[None]:
    """Returns the block in which attention is computed by kernels that take batches of every shape as they come.

    In half precision torch asks cuDNN first on GPUs from Hopper on, which builds a plan for every number of utterances
    and of frames it has not seen before: with batches of speech, at every update, for the forward pass and for the
    gradient (issue 3704 of modelscope/FunASR: a second per new shape on a B200). Gradients belong into the block, too:
    what gradient checkpointing computes again must be the same.
    """
    return cast("AbstractContextManager[None]", sdpa_kernel(list(_ATTENTION)))


def choose_kernels(encoder: Encoder) -> None:
    """On a GPU, computes in other ways what cuDNN has no good kernels for in half precision.

    With HuBERT base on an H100, the convolutions over the waveform took four times as long in half precision as in
    float32, in which the CNN stays; the positional convolution, 3 % of all multiplications, nearly half of the time.
    """
    if encoder.device.type != "cuda" or not encoder.family.cnn_prefixes:
        return
    cnn = cast(nn.Module, encoder.model.feature_extractor)
    cnn.forward = partial(_in_float32, cnn.forward)
    for module in encoder.model.get_submodule("encoder.pos_conv").modules():
        if isinstance(module, nn.Conv1d):
            module.__dict__["forward"] = partial(_convolve, module, module.forward)


def _in_float32(run: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    with torch.autocast("cuda", enabled=False):
        return run(inputs)


def _convolve(convolution: nn.Conv1d, run: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    if not torch.is_autocast_enabled("cuda"):
        return run(features)
    half = torch.get_autocast_dtype("cuda")
    weight, bias = convolution.weight.to(half), cast(Tensor, convolution.bias).to(half)
    (padding,) = cast("tuple[int]", convolution.padding)
    with torch.autocast("cuda", enabled=False):
        return convolve(features, weight, bias, padding=padding, groups=convolution.groups)
