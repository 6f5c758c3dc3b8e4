"""A grouped convolution over time as one product of matrices per group."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Output frames that one row of a product makes. Rows repeat what they hear (block + kernel - 1) / block times, and the
#: matrix of weights grows with the block: of 4, 8, 16 and 32, 16 was fastest on an H100 and took the least memory.
_BLOCK = 16


def convolve(features: Tensor, weight: Tensor, bias: Tensor, *, padding: int, groups: int) -> Tensor:
    """Computes `torch.nn.functional.conv1d(features, weight, bias, padding=padding, groups=groups)`.

    A row holds all that a block of output frames hears. It is multiplied by a banded (Toeplitz) matrix, in which every
    frame of the block has the kernel at its own place.

    Args:
        features: (B, D, T).
        weight: (O, D / groups, kernel).
        bias: (O,).
        padding: Zeros on each side of the time axis.
        groups: Into how many parts D and O are divided.

    Returns:
        (B, O, T + 2 padding - kernel + 1), of the weight's type.
    """
    batch, _, frames = features.shape
    outputs, channels, kernel = weight.shape
    wanted, span = frames + 2 * padding - kernel + 1, _BLOCK + kernel - 1
    blocks = -(-wanted // _BLOCK)
    missing = _BLOCK * (blocks - 1) + span - frames - padding
    # frames before channels, as s3prl's networks have them in memory; in float32, so that gradients are summed in it
    padded = nn.functional.pad(features.transpose(1, 2).float(), (0, 0, padding, missing))
    heard = padded.view(batch, -1, groups, channels).unfold(1, span, _BLOCK)  # (B, blocks, groups, channels, span)
    rows = heard.permute(2, 0, 1, 4, 3).to(weight.dtype).reshape(groups, batch * blocks, span * channels)
    bands = _bands(weight.view(groups, -1, channels, kernel))  # (groups, O / groups, channels, block, span)
    columns = bands.permute(0, 4, 2, 3, 1).reshape(groups, span * channels, -1)
    made = torch.bmm(rows, columns).view(groups, batch, blocks * _BLOCK, -1)
    return (made.permute(1, 2, 0, 3).reshape(batch, -1, outputs)[:, :wanted] + bias).transpose(1, 2)


def _bands(kernels: Tensor) -> Tensor:
    """Places kernels (..., kernel) at each frame of a block: (..., block, block + kernel - 1), zero elsewhere."""
    # repeated with a period of one more than a row is long, they come one later in every row
    period = nn.functional.pad(kernels, (0, _BLOCK))
    span = period.shape[-1] - 1
    repeated = period[..., None, :].expand(*kernels.shape[:-1], _BLOCK, -1).flatten(-2)
    return repeated[..., : _BLOCK * span].view(*kernels.shape[:-1], _BLOCK, span)
