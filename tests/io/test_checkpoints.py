"""Checkpoints are read without executing anything; what is wrong with one is said."""

from __future__ import annotations

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from speechft_cli.errors import RequestError
from speechft_cli.io.checkpoints import check_sums, read_arrays, read_checkpoint


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_tensors_containers_and_a_namespace_are_read(tmp_path: Path) -> None:
    tree = {"Args": argparse.Namespace(seed=1), "weights": {"a": torch.arange(3.0)}, "list": [1, "x", None]}
    torch.save(tree, tmp_path / "a.ckpt")
    read = read_checkpoint(tmp_path / "a.ckpt")
    assert read["Args"] == argparse.Namespace(seed=1)
    assert read["list"] == [1, "x", None]
    weights = read["weights"]
    assert isinstance(weights, dict)
    assert weights["a"].tolist() == [0.0, 1.0, 2.0]


def test_the_old_file_format_is_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    value = read_checkpoint(tmp_path / "old.pt")["a"]
    assert isinstance(value, torch.Tensor)
    assert value.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path: Path, is_zip: bool) -> None:
    path, trap = tmp_path / "evil.pt", tmp_path / "sprung"
    torch.save({"a": Hostile(trap)}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(RequestError, match=r"evil\.pt"):
        read_checkpoint(path)
    assert not trap.exists()
    with path.open("rb"):  # the trap is live: torch's unsafe loading springs it
        torch.load(path, weights_only=False)
    assert trap.exists()


def test_the_types_that_would_have_to_be_executed_are_named(tmp_path: Path) -> None:
    torch.save({"a": Hostile(tmp_path / "sprung")}, tmp_path / "evil.pt")
    with pytest.raises(RequestError, match=r"would have to execute: posix\.mkdir"):
        read_checkpoint(tmp_path / "evil.pt")


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (b"cargparse\nNamespace\n}X\x01\x00\x00\x00aK\x01sb.", "must not change a type"),
        (b"cbuiltins\ngetattr\n(X\x01\x00\x00\x00aX\x01\x00\x00\x00btR.", "would have to execute: builtins.getattr"),
        (b"cos\nsystem\n(X\x04\x00\x00\x00truetR.", "would have to execute: os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "would have to execute: os.system"),
    ],
)
def test_a_pickle_calls_and_changes_nothing_that_is_not_listed(tmp_path: Path, pickled: bytes, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("a/data.pkl", pickled)
    with pytest.raises(RequestError, match=said):
        read_arrays(tmp_path / "a.pt")
    assert argparse.Namespace.__dict__.get("a") is None


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(4)}, tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    shape = content.index(b"K\x04\x85")  # the tuple (4,)
    (tmp_path / "a.pt").write_bytes(content[:shape] + b"K\x09\x85" + content[shape + 3 :])
    with pytest.raises(RequestError, match="can't be read"):
        read_arrays(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 broken", pickle.dumps({"a": 1})])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(RequestError, match=r"a\.pt: must be a torch checkpoint, "):
        read_checkpoint(tmp_path / "a.pt")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.randn(1000)}, tmp_path / "a.pt")
    os.truncate(tmp_path / "a.pt", 2000)
    with pytest.raises(RequestError, match=r"a\.pt: must be a torch checkpoint, can't be read: it is cut short"):
        read_checkpoint(tmp_path / "a.pt")


def test_a_bare_tensor_is_refused(tmp_path: Path) -> None:
    torch.save(torch.ones(2), tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"a\.pt: must hold a dictionary, has Tensor"):
        read_checkpoint(tmp_path / "a.pt")


def test_what_nobody_looks_at_is_not_read(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.ones(1000)}, "adam": torch.ones(24_000_000)}, tmp_path / "a.pt")
    before = resident()
    tree = read_arrays(tmp_path / "a.pt")
    check_sums(tmp_path / "a.pt", tree["model"])  # type: ignore[arg-type]
    assert resident() - before < 48_000_000  # of 96
    assert isinstance(tree["adam"], np.ndarray)
    assert tree["adam"].sum() == 24_000_000
    assert resident() - before > 90_000_000


def resident() -> int:
    """Bytes of files that are mapped and in memory."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) * 1024


def test_a_flipped_bit_is_noticed_and_the_tensor_named(tmp_path: Path) -> None:
    weights = {"a": torch.full((1000,), 1.5), "b": torch.full((1000,), 2.5)}
    torch.save({"model": weights}, tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    place = content.find(torch.full((8,), 2.5).numpy().tobytes())
    content[place] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    read = read_arrays(tmp_path / "a.pt")["model"]
    with pytest.raises(RequestError, match=r"(?m)a\.pt: is damaged: not what was written are b$") as caught:
        check_sums(tmp_path / "a.pt", read)  # type: ignore[arg-type]
    assert "download it again" in caught.value.hint


@pytest.mark.parametrize("has_sums", [True, False])
def test_an_unharmed_file_is_let_be_with_or_without_checksums(tmp_path: Path, has_sums: bool) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(has_sums)
    whole = torch.arange(10.0)
    try:
        torch.save({"model": {"a": torch.ones(3), "tied": whole, "view": whole[2:4]}}, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    check_sums(tmp_path / "a.pt", read_arrays(tmp_path / "a.pt")["model"])  # type: ignore[arg-type]
