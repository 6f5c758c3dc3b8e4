"""Tensors as numpy arrays, for work that must not wait for torch: merging, hashing, reading and writing checkpoints.

An array and a tensor of it share their memory; neither way copies or changes a bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np
from ml_dtypes import bfloat16, float8_e4m3fn, float8_e5m2
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

#: An array of any dtype that torch has; the type says float because that is what weights are.
Array: TypeAlias = NDArray[np.floating]

#: What torch calls a dtype, without `torch.` → numpy's.
DTYPES: Mapping[str, np.dtype[np.generic]] = {
    name: np.dtype(kind)
    for name, kind in {
        "float64": np.float64,
        "float32": np.float32,
        "float16": np.float16,
        "bfloat16": bfloat16,
        "float8_e4m3fn": float8_e4m3fn,
        "float8_e5m2": float8_e5m2,
        "int64": np.int64,
        "int32": np.int32,
        "int16": np.int16,
        "int8": np.int8,
        "uint64": np.uint64,
        "uint32": np.uint32,
        "uint16": np.uint16,
        "uint8": np.uint8,
        "bool": np.bool_,
        "complex128": np.complex128,
        "complex64": np.complex64,
    }.items()
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
#: What torch.from_numpy does not know, by the size of a number [bytes].
_RAW = {2: "int16", 1: "uint8"}


class HasType(Protocol):
    """What has a dtype."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """numpy's."""


def dtype_name(array: HasType) -> str:
    """Returns what torch calls the dtype of an array, without `torch.`."""
    return _NAMES[array.dtype]


def is_float(array: HasType) -> bool:
    """Whether the numbers are floating-point numbers."""
    return dtype_name(array).startswith(("float", "bfloat"))


def to_array(tensor: Tensor) -> Array:
    """Returns a tensor as an array: the same memory where it lies on the CPU in one piece."""
    import torch

    plain = tensor.detach().cpu()
    dtype = DTYPES[str(plain.dtype).removeprefix("torch.")]
    if _is_foreign(dtype):
        plain = plain.contiguous().view(getattr(torch, _RAW[dtype.itemsize]))
    return cast("Array", plain.numpy().view(dtype))


def to_tensor(array: Array) -> Tensor:
    """Returns an array as a tensor of the same memory."""
    import torch

    if not _is_foreign(array.dtype):
        return torch.from_numpy(array)
    raw = torch.from_numpy(np.ascontiguousarray(array).view(_RAW[array.dtype.itemsize]).reshape(array.shape))
    return raw.view(getattr(torch, dtype_name(array)))


def array_bytes(array: Array) -> memoryview:
    """Returns the bytes of an array in row-major order, without copying them where they lie so already."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _is_foreign(dtype: np.dtype[np.generic]) -> bool:
    """Whether a dtype is not numpy's own, but one that torch and ml_dtypes have besides."""
    return dtype.isbuiltin == 2
