"""Which kernels a GPU computes with, where torch's own choice takes longer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from speechft_cli.encoders.encoder import Encoder

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


def keep_cnn_in_float32(encoder: Encoder) -> None:
    """Computes the CNN in float32 also under autocast, where that is faster: on a GPU, which rounds for itself.

    cuDNN has no good kernels for convolutions over a waveform in half precision: an H100 took four times as long.
    """
    if encoder.device.type != "cuda" or not encoder.family.cnn_prefixes:
        return
    cnn = cast(nn.Module, encoder.model.feature_extractor)
    run = cnn.forward

    def in_float32(*inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", enabled=False):
            return cast(Tensor, run(*inputs))

    cnn.forward = in_float32
