"""What an output format is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechft_cli.encoders.checkpoint import EncoderCheckpoint


class Save(Protocol):
    """Writes a complete checkpoint to a path that nobody reads yet; may raise OSError."""

    def __call__(
        self, checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None, /
    ) -> dict[Path, str]:
        """Writes `checkpoint` to `path`, with `metadata` where the format has a place for it.

        Returns:
            File → SHA-256 as hex, of those with weights.
        """


def require_nothing(checkpoint: EncoderCheckpoint) -> None:
    """What a format asks that holds every encoder."""
    del checkpoint


@dataclass(frozen=True)
class OutputFormat:
    """A format that an encoder can be written in.

    Attributes:
        ending: What comes after the stem of the file name.
        save: How it is written.
        require: Raises a RequestError for an encoder that it can't hold.
    """

    ending: str
    save: Save
    require: Callable[[EncoderCheckpoint], None] = require_nothing
