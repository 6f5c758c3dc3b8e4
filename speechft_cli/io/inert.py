"""Stand-ins for the objects that other software leaves in checkpoints: they keep the data and do nothing.

A pickle names what it wants to call. A careful reader calls only what is harmless, and lets a name stand for something
else: so a file from fairseq or Lightning is read without fairseq or Lightning, and without any code that the file
chooses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class Record:
    """What is left of an object of some class: its attributes."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __new__(cls, *arguments: object) -> Record:
        """Takes whatever the pickle gives the class that this stands for."""
        del arguments
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Keeps the attributes."""
        if isinstance(state, Mapping):
            self.__dict__.update(state)


class NumberType(Record):
    """What is left of a numpy.dtype: its code, such as `f8`."""

    def __new__(cls, *arguments: object) -> NumberType:
        """Keeps the code, which is the first argument."""
        made = super().__new__(cls)
        made.arguments = arguments
        return made  # type: ignore[return-value]

    def __setstate__(self, state: object) -> None:
        """Byte order and alignment: a scalar's bytes are little-endian on every machine that torch runs on."""


_STRUCT = {"f8": "<d", "f4": "<f", "f2": "<e", "i8": "<q", "i4": "<i", "i2": "<h", "i1": "<b", "u1": "<B", "b1": "<?"}


def number(kind: NumberType, data: bytes = b"") -> object:
    """Returns a numpy scalar as a plain number; None for one of a kind that is no number."""
    code = _STRUCT.get(str(kind.arguments[0]) if kind.arguments else "")
    return struct.unpack(code, data)[0] if code else None


def path_text(*parts: str) -> str:
    """Returns a pathlib path as text."""
    return "/".join(parts).replace("//", "/")


def plain_dictionary(*arguments: object) -> dict[object, object]:
    """Returns an empty dictionary in place of one with a default."""
    del arguments
    return {}


def plain(value: object) -> object:
    """Returns `value` with every record in it replaced by its data: omegaconf's nodes by what they hold."""
    return changed(value, Record, _data)


def _data(record: Record) -> object:
    for inside in ("_content", "_val"):  # omegaconf's containers and leaves
        if inside in vars(record):
            return plain(vars(record)[inside])
    return {str(key): plain(each) for key, each in vars(record).items()}


def changed(value: object, kind: type[T], change: Callable[[T], object]) -> object:
    """Returns a value with everything of one kind in it changed, however deep it lies."""
    if isinstance(value, kind):
        return change(value)
    match value:
        case dict():
            return {key: changed(each, kind, change) for key, each in value.items()}
        case list():
            return [changed(each, kind, change) for each in value]
        case tuple():
            return tuple(changed(each, kind, change) for each in value)
    return value


def _named(stand_in: Callable[..., object], *names: str) -> list[tuple[Callable[..., object], str]]:
    return [(stand_in, name) for name in names]


_BUILTINS: tuple[Callable[..., object], ...] = (list, int, float, bool, str, tuple, set)
_PATHS = ("Posix", "PurePosix", "Windows", "PureWindows")
_OMEGACONF_NODES = ("Any", "String", "Integer", "Float", "Boolean", "Enum", "Interpolation")

#: (stand-in, the name it stands for), as torch.serialization.safe_globals takes them.
INERT: list[tuple[Callable[..., object], str]] = [
    *_named(
        Record,
        "fairseq.data.dictionary.Dictionary",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        *(f"omegaconf.nodes.{kind}Node" for kind in _OMEGACONF_NODES),
        "typing.Any",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
    ),
    *_named(
        dict,
        "builtins.dict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
    ),
    *_named(plain_dictionary, "collections.defaultdict"),
    *_named(
        NumberType, "numpy.dtype", "numpy.dtypes.Float64DType", "numpy.dtypes.Float32DType", "numpy.dtypes.Int64DType"
    ),
    *_named(number, "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    *_named(
        path_text,
        *(
            f"{module}.{kind}Path"
            for module in ("pathlib", "pathlib._local")  # the latter is Python 3.13's alone
            for kind in _PATHS
        ),
    ),
    *((kind, f"builtins.{kind.__name__}") for kind in _BUILTINS),
]
