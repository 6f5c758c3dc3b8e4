"""The positional convolution as products of matrices is torch's own convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from speechft_cli.training.toeplitz import convolve


@pytest.mark.parametrize(
    ("channels", "outputs", "kernel", "padding", "groups", "frames"),
    [
        (12, 24, 128, 64, 4, 50),  # all but data2vec, whose frames are then one too many
        (8, 8, 19, 9, 8, 400),  # data2vec
        (12, 12, 5, 2, 1, 16),  # a block to the frame
        (8, 4, 3, 0, 2, 18),
        (8, 8, 128, 64, 2, 1),
    ],
)
def test_outputs_and_gradients_are_those_of_the_convolution(
    channels: int, outputs: int, kernel: int, padding: int, groups: int, frames: int
) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(channels, outputs, kernel, padding=padding, groups=groups)
    # as s3prl hands them over: channels last in memory
    features = torch.randn(3, frames, channels).transpose(1, 2).requires_grad_()
    leaves = [features, convolution.weight, convolution.bias]

    expected = convolution(features)
    made = convolve(features, convolution.weight, convolution.bias, padding=padding, groups=groups)

    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)
    direction = torch.randn_like(expected)
    for own, reference in zip(
        torch.autograd.grad(made, leaves, direction), torch.autograd.grad(expected, leaves, direction), strict=True
    ):
        torch.testing.assert_close(own, reference, rtol=1e-4, atol=1e-4)


def test_in_half_precision_only_the_factors_are_rounded() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(32, 32, 128, padding=64, groups=4)
    features = torch.randn(2, 32, 60, requires_grad=True)
    expected = convolution(features)
    (wanted,) = torch.autograd.grad(expected.square().sum(), features)

    weight, bias = convolution.weight.bfloat16(), convolution.bias.bfloat16()
    made = convolve(features, weight, bias, padding=64, groups=4)
    (found,) = torch.autograd.grad(made.float().square().sum(), features)

    assert made.dtype == torch.bfloat16
    with torch.no_grad():  # each sum rounds twice or three times to eight bits
        assert (made.float() - expected).norm() < 3 * 2**-9 * expected.norm()
        assert (found - wanted).norm() < 6 * 2**-9 * wanted.norm()
