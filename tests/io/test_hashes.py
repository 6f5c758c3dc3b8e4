"""Hashes name content, not the file it lies in."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
import torch

from speechft_cli.io.hashes import file_hash, weights_hash


def test_file_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_weights_hash_is_over_names_dtypes_shapes_and_bytes_in_the_order_of_names() -> None:
    weights = {"b": torch.tensor([[1.0, 2.0]]), "a": torch.tensor(3, dtype=torch.int64)}
    one = hashlib.sha256(b"torch.int64 ()\n" + struct.pack("<q", 3)).digest()
    other = hashlib.sha256(b"torch.float32 (1, 2)\n" + struct.pack("<2f", 1.0, 2.0)).digest()
    expected = hashlib.sha256(b"a\n" + one + b"b\n" + other).hexdigest()
    assert weights_hash(weights) == expected


def test_layout_and_order_do_not_matter() -> None:
    matrix = torch.arange(6.0).reshape(2, 3)
    transposed = matrix.t().contiguous().t()  # the same values, column by column in memory
    assert weights_hash({"a": matrix, "b": matrix}) == weights_hash({"b": transposed, "a": transposed})


@pytest.mark.parametrize(
    "other",
    [
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.float16)},
        {"a": torch.tensor([0.0, 0.0, 0.0, -0.0])},
        {"a": torch.zeros(4), "b": torch.zeros(0)},
    ],
)
def test_name_shape_dtype_and_every_bit_matter(other: dict[str, torch.Tensor]) -> None:
    assert weights_hash({"a": torch.zeros(4)}) != weights_hash(other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.uint8, torch.complex64])
def test_any_dtype_has_a_hash(dtype: torch.dtype) -> None:
    assert len(weights_hash({"a": torch.ones(3).to(dtype), "b": torch.ones(()).to(dtype)})) == 64
