"""The pickle inside a torch checkpoint, read and written without torch: tensors are arrays here.

Reading calls nothing but what is listed in this file and in io/inert.py, whatever the pickle asks for.
"""

# the half of Python's pickle that is written in Python lets itself be extended, but has no types
# mypy: disable-error-code="attr-defined, misc, assignment"

from __future__ import annotations

import argparse
import collections
import io
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from speechft_cli.io.arrays import DTYPES, Array, dtype_name
from speechft_cli.io.inert import INERT, NumberType, Record

#: torch's classes of storages: name → dtype.
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "UntypedStorage": "uint8",
}
_CLASSES = {dtype: name for name, dtype in _STORAGES.items() if name != "UntypedStorage"}

#: Key → the bytes of a storage.
Storages = Callable[[str], NDArray[np.uint8]]


class ForeignTypesError(Exception):
    """The pickle asks for types that are not harmless; holds their names."""


@dataclass(frozen=True)
class Slot:
    """Stands for an array of which only dtype and shape are known when the pickle is written."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @staticmethod
    def of(array: Array) -> Slot:
        """Returns the slot that an array fits into."""
        return Slot(array.dtype, array.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return self.dtype.itemsize * math.prod(self.shape)


def load(pickled: bytes, storages: Storages) -> object:
    """Builds what lies in a torch checkpoint's pickle.

    Args:
        pickled: The pickle.
        storages: Gives the bytes of a storage by its key.

    Raises:
        ForeignTypesError: It asks for something that is not harmless; nothing of that was called.
        Exception: It is damaged, in whatever way.
    """
    reader = _Reader(pickled, storages)
    try:
        tree: object = reader.load()
    except Exception:
        if reader.foreign:
            raise ForeignTypesError(*reader.foreign) from None
        raise
    if reader.foreign:
        raise ForeignTypesError(*reader.foreign)
    return tree


def dump(tree: Mapping[str, object]) -> tuple[bytes, list[Array | Slot]]:
    """Returns the pickle that torch would make of `tree`, and its arrays in the order of their storages' keys."""
    file = io.BytesIO()
    writer = _Writer(file)
    writer.dump(tree)
    return file.getvalue(), writer.arrays


@dataclass(frozen=True)
class _Storage:
    content: NDArray[np.uint8]
    dtype: np.dtype[np.generic]


def _tensor(storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *rest: object) -> Array:
    """What `torch._utils._rebuild_tensor_v2` makes; v3 says the dtype apart from the storage."""
    dtype = storage.dtype
    if len(rest) > 2 and isinstance(rest[2], np.dtype):
        dtype = rest[2]
    if storage.content.nbytes == 0 or 0 in shape:
        return np.empty(shape, dtype)
    steps = [stride * dtype.itemsize for stride in strides]
    # refuses what reaches beyond the storage
    return np.ndarray(shape, dtype, storage.content, offset * dtype.itemsize, steps)


def _parameter(tensor: Array, *rest: object) -> Array:
    del rest
    return tensor


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


def _text(*parts: object) -> str:
    return ":".join(map(str, parts))


#: Name → what is called in its place.
HARMLESS: Mapping[str, object] = {
    **{name: stand_in for stand_in, name in INERT},
    "argparse.Namespace": argparse.Namespace,
    "collections.OrderedDict": collections.OrderedDict,
    "collections.Counter": dict,
    "builtins.bytearray": bytearray,
    "builtins.complex": complex,
    "_codecs.encode": _encoded,
    "torch.Size": tuple,
    "torch.device": _text,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    **{f"torch.{name}": dtype for name, dtype in DTYPES.items()},
    **{f"torch.{name}": DTYPES[dtype] for name, dtype in _STORAGES.items()},
    "torch.storage.UntypedStorage": DTYPES["uint8"],
}
#: What a pickle may set attributes of; of a class or a function it must not.
_OPEN = (argparse.Namespace, collections.OrderedDict, Record, NumberType)


class _Reader(pickle._Unpickler):
    """Calls nothing but what is harmless; for anything else an inert record is built, and its name remembered."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, pickled: bytes, storages: Storages) -> None:
        super().__init__(io.BytesIO(pickled), encoding="utf-8")
        self._of_key = storages
        self.foreign: list[str] = []

    def find_class(self, module: str, name: str) -> object:
        # Python 2's names for what Python 3 has
        known = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if known in HARMLESS:
            return HARMLESS[known]
        if known not in self.foreign:
            self.foreign.append(known)
        return Record

    def persistent_load(self, pid: object) -> _Storage:
        kind, dtype, key, _, count = cast("tuple[str, np.dtype[np.generic], str, str, int]", pid)
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise ValueError(f"must point to a storage, points to {kind!r}")
        content = self._of_key(str(key))
        if len(content) < count * dtype.itemsize:
            raise ValueError(f"storage {key} must have {count * dtype.itemsize} bytes, has {len(content)}")
        return _Storage(content, dtype)

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _OPEN):
            raise ValueError(f"must not change a {type(self.stack[-2]).__name__}")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build


@dataclass(frozen=True, eq=False)
class _Name:
    """Something of another library, which need not be importable here."""

    module: str
    name: str


@dataclass(frozen=True, eq=False)
class _Pointer:
    """Stands for the storage of an array."""

    array: Array | Slot


class _Writer(pickle._Pickler):
    """Writes arrays and slots as torch writes tensors that own their storage, byte for byte."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=2)
        self.arrays: list[Array | Slot] = []
        self._names: dict[str, _Name] = {}

    def persistent_id(self, obj: object) -> object:
        if not isinstance(obj, _Pointer):
            return None
        array, key = obj.array, str(len(self.arrays))
        self.arrays.append(array)
        return ("storage", self._name("torch", _CLASSES[dtype_name(array)]), key, "cpu", math.prod(array.shape))

    def save_array(self, array: Array | Slot) -> None:
        strides: list[int] = []
        for size in reversed((*array.shape[1:], 1) if array.shape else ()):
            strides.append(max(1, size) * (strides[-1] if strides else 1))
        arguments: tuple[object, ...] = (
            _Pointer(array),
            0,
            tuple(array.shape),
            tuple(reversed(strides)),
            False,
            collections.OrderedDict(),
        )
        self.save(self._name("torch._utils", "_rebuild_tensor_v2"))
        self.save(arguments)
        self.write(pickle.REDUCE)
        self.memoize(array)

    def save_name(self, obj: _Name) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def _name(self, module: str, name: str) -> _Name:
        return self._names.setdefault(name, _Name(module, name))

    dispatch[np.ndarray] = save_array
    dispatch[Slot] = save_array
    dispatch[_Name] = save_name
