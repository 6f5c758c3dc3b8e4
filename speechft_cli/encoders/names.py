"""What an encoder is called where it is not the path of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import Published
from speechft_cli.errors import RequestError
from speechft_cli.registry import nearest_name, unknown_name

#: Log mel features, which have no weights: as they are, and normalised over the utterance, which is SUPERB's FBANK.
LOGMEL, FBANK = "logmel", "fbank"
#: Begins the name of an encoder of random weights; family, size and perhaps a seed follow.
RANDOM = "random:"
#: Begins the name of a repository of the Hugging Face hub.
HUB = "hf:"
#: The encoder that comes with this package, where nothing else is chosen.
SMALL = "hubert-small"
#: The seed of random weights where nothing else is said; a config has its own.
DEFAULT_SEED = 1337
#: The encoders that come with this package, each beside its model card.
SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class RandomName:
    """What `random:FAMILY-SIZE[@SEED]` says."""

    family: str
    size: str
    seed: int | None


@dataclass(frozen=True)
class HubName:
    """What `hf:ORG/NAME[@REVISION]` says."""

    repository: str
    revision: str


def checkpoints() -> Mapping[str, Published]:
    """Returns name → checkpoint of everything that can be named: what is shipped, then what can be downloaded."""
    every = {name: each for family in ENCODERS for name, each in ENCODERS.get(family).published.items()}
    return dict(sorted(every.items(), key=lambda item: bool(item[1].url)))


@cache
def family_of(name: str) -> str | None:
    """Returns the family that a named checkpoint is of; None for what no family names."""
    return next((family for family in ENCODERS if name in ENCODERS.get(family).published), None)


def shipped_file(name: str) -> Path:
    """Returns where a shipped encoder lies."""
    return SHIPPED / f"{name}.safetensors"


def is_shipped(path: Path) -> bool:
    """Whether a file is one of the shipped encoders."""
    return path.parent == SHIPPED


def is_baseline(name: str) -> bool:
    """Whether this names something to compare encoders with, that is no pre-trained encoder itself."""
    return name in (LOGMEL, FBANK) or name.startswith(RANDOM)


def is_name(text: str) -> bool:
    """Whether this names an encoder, so that it need not be a path."""
    return is_baseline(text) or text.startswith(HUB) or text in checkpoints()


def names_encoder(text: str, folder: Path) -> bool:
    """Whether this is an encoder's name and not a path from `folder` to something that is there, which comes first."""
    return is_name(text) and not (folder / text).exists()


def unambiguous(path: Path) -> Path:
    """Returns what was typed in a form that `read_encoder` takes rightly: absolute where it looks like a name."""
    here = Path.cwd()
    return here / path if is_name(str(path)) and not names_encoder(str(path), here) else path


def meant(path: Path) -> str:
    """Says which name a path that leads nowhere was probably meant to be, if any, and where the names are."""
    near = nearest_name(path.stem.replace("_", "-").lower(), checkpoints())
    guess = f"did you mean {near!r}? " if near else ""
    return f"{guess}speechft list checkpoints shows the encoders that need no file"


def read_random(name: str) -> RandomName:
    """Reads `random:FAMILY-SIZE` or `random:FAMILY-SIZE@SEED`.

    Raises:
        RequestError: It is something else; the message gives the nearest name.
    """
    shape, separator, seed = name.removeprefix(RANDOM).partition("@")
    shapes = {f"{family}-{size}": (family, size) for family in ENCODERS for size in ENCODERS.get(family).sizes}
    if shape not in shapes:
        raise RequestError(
            f"{name}: what follows {RANDOM} {unknown_name(shape, shapes)}", "for example random:hubert-tiny"
        )
    if separator and not (seed.isascii() and seed.isdigit() and int(seed) < 2**32):
        raise RequestError(
            f"{name}: the seed after @ must be a whole number below 2³², got {seed!r}",
            "for example random:hubert-tiny@7",
        )
    return RandomName(*shapes[shape], int(seed) if separator else None)


def read_hub(name: str) -> HubName:
    """Reads `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`.

    Raises:
        RequestError: It is something else.
    """
    found = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", name)
    if found is None or ".." in name:
        raise RequestError(
            f"{name}: must be hf:ORG/NAME or hf:ORG/NAME@REVISION", "for example hf:facebook/hubert-base-ls960"
        )
    return HubName(found[1], found[2] or "main")
