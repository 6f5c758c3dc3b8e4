"""What an output format is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint


class Save(Protocol):
    """Writes a complete checkpoint to a path that nobody reads yet; may raise OSError."""

    def __call__(self, checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None, /) -> None:
        """Writes `checkpoint` to `path`, with `metadata` where the format has a place for it."""


@dataclass(frozen=True)
class OutputFormat:
    """A format that an encoder can be written in.

    Attributes:
        ending: What comes after the stem of the file name.
        is_folder: Whether it is a folder of files.
        save: How it is written.
    """

    ending: str
    save: Save
    is_folder: bool = False

    def holds(self, family: EncoderFamily) -> bool:
        """Whether the format has a home for a family."""
        return family.home is not None if self.is_folder else True
