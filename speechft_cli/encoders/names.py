"""What an encoder is called where it is not the path of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speechft_cli.encoders import ENCODERS
from speechft_cli.errors import RequestError
from speechft_cli.registry import unknown_name

#: Log mel features, which have no weights.
LOGMEL = "logmel"
#: Begins the name of an encoder of random weights; family, size and perhaps a seed follow.
RANDOM = "random:"
#: The seed of random weights where nothing else is said; a config has its own.
DEFAULT_SEED = 1337


@dataclass(frozen=True)
class RandomName:
    """What `random:FAMILY-SIZE[@SEED]` says."""

    family: str
    size: str
    seed: int | None


def is_baseline(name: str) -> bool:
    """Whether this names something to compare encoders with, that is no pre-trained encoder itself."""
    return name == LOGMEL or name.startswith(RANDOM)


def is_name(text: str) -> bool:
    """Whether this names an encoder, so that it need not be a path."""
    return is_baseline(text)


def names_encoder(text: str, folder: Path) -> bool:
    """Whether this is an encoder's name and not a path from `folder` to something that is there, which comes first."""
    return is_name(text) and not (folder / text).exists()


def unambiguous(path: Path) -> Path:
    """Returns what was typed in a form that `read_encoder` takes rightly: absolute where it looks like a name."""
    here = Path.cwd()
    return here / path if is_name(str(path)) and not names_encoder(str(path), here) else path


def read_random(name: str) -> RandomName:
    """Reads `random:FAMILY-SIZE` or `random:FAMILY-SIZE@SEED`.

    Raises:
        RequestError: It is something else; the message gives the nearest name.
    """
    shape, separator, seed = name.removeprefix(RANDOM).partition("@")
    shapes = {f"{family}-{size}": (family, size) for family in ENCODERS for size in ENCODERS.get(family).sizes}
    if shape not in shapes:
        raise RequestError(f"{name}: what follows {RANDOM} {unknown_name(shape, shapes)}")
    if separator and not (seed.isascii() and seed.isdigit() and int(seed) < 2**32):
        raise RequestError(f"{name}: the seed after @ must be a whole number below 2³², got {seed!r}")
    return RandomName(*shapes[shape], int(seed) if separator else None)
