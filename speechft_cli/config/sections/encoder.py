"""The `encoder` section."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from speechft_cli.config.sections.base import Section
from speechft_cli.encoders import ENCODERS


class EncoderSection(Section):
    """The pre-trained encoder θ0 that everything starts from."""

    family: str = "hubert"
    """Encoder family; `speechft list encoders` shows them."""
    checkpoint: Path | None = None
    """Checkpoint to start from: an s3prl converted `.pt`, a run folder, or an s3prl downstream `.ckpt`."""
    init: Literal["random"] | None = None
    """`random`: start from random weights instead of a checkpoint, and mean it."""
    size: str = "base"
    """Architecture of a random encoder: tiny, base and, for most families, large; a checkpoint brings its own."""

    @model_validator(mode="after")
    def _one_source(self) -> EncoderSection:
        if self.checkpoint is not None and self.init is not None:
            raise ValueError("must have either 'checkpoint' or 'init: random', got both")
        return self

    @model_validator(mode="after")
    def _known_size(self) -> EncoderSection:
        # an unknown family is somebody else's problem to report
        sizes = ENCODERS.get(self.family).sizes if self.family in ENCODERS else {self.size: {}}
        if self.size not in sizes:
            raise ValueError(f"size must be one of {', '.join(sizes)} for {self.family}, got {self.size!r}")
        return self
