"""Objects of other software become plain data, without their libraries and without executing anything."""

from __future__ import annotations

import collections
import enum
import pathlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from speechft_cli.errors import RequestError
from speechft_cli.io.checkpoints import read_arrays, read_checkpoint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(2.5), 2.5),
        (np.float32(0.5), 0.5),
        (np.int64(-7), -7),
        (np.bool_(True), True),
        (pathlib.PurePosixPath("a") / "b", "a/b"),
        (pathlib.Path("/corpora/x"), "/corpora/x"),
        (collections.defaultdict(list, {"a": [1]}), {"a": [1]}),
        ((1, [np.float64(2.0)]), (1, [2.0])),
    ],
    ids=str,
)
def test_it_becomes_plain(tmp_path: Path, value: object, expected: object) -> None:
    torch.save({"value": value}, tmp_path / "a.pt")
    read = read_checkpoint(tmp_path / "a.pt")["value"]
    assert read == expected
    assert type(read) is type(expected)


def _module(monkeypatch: pytest.MonkeyPatch, name: str, **classes: type) -> None:
    """Makes a library of which only the pickles matter; it is gone when they are read."""
    parts = name.split(".")
    for end in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
    module = types.ModuleType(name)
    for class_name, made in classes.items():
        made.__module__, made.__qualname__ = name, class_name
        setattr(module, class_name, made)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("name", ["PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"])
def test_paths_that_python_3_13_wrote_are_read_by_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = type(name, (), {"__reduce__": lambda path: (type(path), ("a", "b"))})
    with monkeypatch.context() as patch:
        _module(patch, "pathlib._local", **{name: made})
        patch.setitem(sys.modules, "pathlib", pathlib)
        torch.save({"value": made()}, tmp_path / "a.pt")
    assert read_checkpoint(tmp_path / "a.pt")["value"] == "a/b"


def test_a_dictionary_of_fairseq_is_read_without_fairseq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dictionary:
        def __init__(self) -> None:
            self.symbols, self.indices = ["<s>", "0"], {"<s>": 0, "0": 1}

    with monkeypatch.context() as patch:
        _module(patch, "fairseq.data.dictionary", Dictionary=Dictionary)
        torch.save({"task_state": {"dictionaries": [Dictionary()]}}, tmp_path / "a.pt")
    assert read_checkpoint(tmp_path / "a.pt")["task_state"] == {
        "dictionaries": [{"symbols": ["<s>", "0"], "indices": {"<s>": 0, "0": 1}}]
    }


def test_lightnings_hyper_parameters_are_a_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AttributeDict(dict[str, object]):
        pass

    with monkeypatch.context() as patch:
        _module(patch, "lightning.fabric.utilities.data", AttributeDict=AttributeDict)
        torch.save({"hyper_parameters": AttributeDict(rate=0.1)}, tmp_path / "a.pt")
    assert read_checkpoint(tmp_path / "a.pt")["hyper_parameters"] == {"rate": 0.1}


def test_a_configuration_of_omegaconf_is_read_without_omegaconf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AnyNode:
        def __init__(self, value: object) -> None:
            self._val, self._parent = value, None

    class DictConfig:
        def __init__(self, content: dict[str, object]) -> None:
            self._content, self._flags_cache = content, None

    class ListConfig(DictConfig):
        pass

    with monkeypatch.context() as patch:
        _module(patch, "omegaconf.nodes", AnyNode=AnyNode)
        _module(patch, "omegaconf.dictconfig", DictConfig=DictConfig)
        _module(patch, "omegaconf.listconfig", ListConfig=ListConfig)
        inside = DictConfig({"layers": AnyNode(12), "temperature": ListConfig([AnyNode(2.0), AnyNode(0.5)])})  # type: ignore[arg-type]
        torch.save({"cfg": DictConfig({"model": inside})}, tmp_path / "a.pt")
    assert read_checkpoint(tmp_path / "a.pt")["cfg"] == {"model": {"layers": 12, "temperature": [2.0, 0.5]}}


class Colour(enum.Enum):
    RED = 1


def test_any_other_class_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save({"value": Colour.RED}, tmp_path / "a.pt")
    with pytest.raises(RequestError, match=r"would have to execute: tests\.io\.test_inert\.Colour") as caught:
        read_checkpoint(tmp_path / "a.pt")
    assert "--trust" in caught.value.hint
    assert read_arrays(tmp_path / "a.pt", trust=True)["value"] is Colour.RED
