"""A streamed checkpoint is the file that torch.save writes."""

from __future__ import annotations

import hashlib
import resource
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechft_cli.io.torch_archive import save_streamed, stand_in


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
    whole = tensors()
    tree = {"cfg": {"a": [1, "two"]}, "model": {name: stand_in(each) for name, each in whole.items()}, "last": None}
    return save_streamed(tree, whole.values(), path)


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


def test_every_byte_but_the_serial_number_is_torch_s_own(tmp_path: Path) -> None:
    write(tmp_path / "a.pt")
    (tmp_path / "torch").mkdir()
    contiguous = {name: each.contiguous() for name, each in tensors().items()}
    torch.save({"cfg": {"a": [1, "two"]}, "model": contiguous, "last": None}, tmp_path / "torch" / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as ours, zipfile.ZipFile(tmp_path / "torch" / "a.pt") as theirs:
        assert ours.testzip() is None  # reads everything and compares the checksums
        for one, other in zip(ours.infolist(), theirs.infolist(), strict=True):
            assert (one.filename, one.header_offset, one.file_size) == (
                other.filename,
                other.header_offset,
                other.file_size,
            )
            if not one.filename.endswith("serialization_id"):
                assert one.CRC == other.CRC, one.filename


def test_the_hash_is_the_file_s_and_nothing_else_is_left(tmp_path: Path) -> None:
    digest = write(tmp_path / "a.pt")
    assert digest == hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_tensor_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a/data/0: must have 16 bytes, got 20"):
        save_streamed({"w": torch.empty(4)}, [torch.zeros(5)], tmp_path / "a.pt")


def test_stand_ins_take_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    stand_ins = [stand_in(torch.empty(50_000_000, device="meta")) for _ in range(20)]  # 4 GB
    assert len(stand_ins) == 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # [kB]
