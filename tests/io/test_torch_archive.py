"""A streamed checkpoint is the file that torch.save writes."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from speechft_cli.io.arrays import to_array, to_tensor
from speechft_cli.io.torch_archive import read_archive, save_archive
from speechft_cli.io.torch_pickle import Slot


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(300, 200, generator=generator),
        "half": torch.randn(7, generator=generator).half(),
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "count": torch.tensor([1, 2, 3]),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 4),
        "transposed": torch.arange(6.0).reshape(2, 3).t(),
    }


def write(path: Path) -> str:
    whole = {name: to_array(each) for name, each in tensors().items()}
    places: dict[str, object] = {name: Slot.of(each) for name, each in whole.items()}
    later = {name: array for name, array in whole.items() if name != "half"}
    tree = {"cfg": {"a": [1, "two"]}, "model": {**places, "half": whole["half"]}, "last": None}
    return save_archive(tree, path, later.values())


def test_what_comes_back_is_what_went_in(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    for mmap in (False, True):
        tree = torch.load(tmp_path / "a.pt", weights_only=True, mmap=mmap)
        assert list(tree) == ["cfg", "model", "last"]
        assert tree["cfg"] == {"a": [1, "two"]}
        assert list(tree["model"]) == list(tensors())
        for name, tensor in tensors().items():
            got = tree["model"][name]
            assert (got.dtype, got.shape) == (tensor.dtype, tensor.shape)
            assert torch.equal(got, tensor), name


def test_every_entry_but_the_serial_number_is_torch_s_own(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    (tmp_path / "torch").mkdir()
    contiguous = {name: each.contiguous() for name, each in tensors().items()}
    torch.save({"cfg": {"a": [1, "two"]}, "model": contiguous, "last": None}, tmp_path / "torch" / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as ours, zipfile.ZipFile(tmp_path / "torch" / "a.pt") as theirs:
        content = (tmp_path / "a.pt").read_bytes()
        assert ours.testzip() is None  # reads everything and compares the checksums
        for one, other in zip(ours.infolist(), theirs.infolist(), strict=True):
            assert (one.filename, one.file_size) == (other.filename, other.file_size)
            start = one.header_offset + 30 + int.from_bytes(content[one.header_offset + 28 :][:2], "little")
            assert (start + len(one.filename)) % 64 == 0  # as torch aligns them
            if not one.filename.endswith("serialization_id"):
                assert one.CRC == other.CRC, one.filename


def test_the_hash_is_the_file_s_and_nothing_else_is_left(tmp_path: Path) -> None:
    digest = write(tmp_path / "a.pt")
    assert digest == hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_tensor_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data/0: must be float32 \(4,\), got float32 \(5,\)"):
        save_archive({"w": Slot(np.dtype(np.float32), (4,))}, tmp_path / "a.pt", [np.zeros(5, np.float32)])


def test_what_torch_wrote_is_read_without_torch(tmp_path: Path) -> None:
    whole = {**tensors(), "bf16": torch.randn(5, 3).bfloat16(), "tied": torch.arange(10.0)}
    whole["view"] = whole["tied"][2:4]
    whole["parameter"] = torch.nn.Parameter(torch.ones(2))
    torch.save({"model": whole, "dtype": torch.float16, "shape": torch.Size([1, 2])}, tmp_path / "a.pt")
    tree = read_archive(tmp_path / "a.pt")
    assert isinstance(tree, dict)
    assert tree["shape"] == (1, 2)
    assert list(tree["model"]) == list(whole)
    for name, tensor in whole.items():
        got = to_tensor(tree["model"][name])
        assert got.dtype == tensor.dtype
        assert torch.equal(got, tensor), name


def test_what_is_changed_in_memory_is_not_changed_in_the_file(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "a.pt")
    for _ in range(2):
        tree = read_archive(tmp_path / "a.pt")
        assert isinstance(tree, dict)
        assert tree["a"].tolist() == [0.0] * 3
        tree["a"] += 1
