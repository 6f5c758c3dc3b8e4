"""Tensors and arrays are the same memory, whatever the dtype."""

from __future__ import annotations

import pytest
import torch

from speechft_cli.io.arrays import DTYPES, to_array, to_tensor


@pytest.mark.parametrize("name", DTYPES)
def test_a_tensor_becomes_an_array_and_a_tensor_again(name: str) -> None:
    tensor = torch.tensor([[0, 1], [1, 0], [1, 1]]).to(getattr(torch, name))
    array = to_array(tensor)
    assert (array.dtype, array.shape) == (DTYPES[name], (3, 2))
    assert array.astype(complex).real.tolist() == [[0, 1], [1, 0], [1, 1]]
    back = to_tensor(array)
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back.view(torch.uint8), tensor.view(torch.uint8))
    assert back.data_ptr() == tensor.data_ptr()
