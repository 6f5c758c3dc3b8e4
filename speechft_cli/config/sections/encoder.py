"""The `encoder` section."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from speechft_cli.config.sections.base import Section


class EncoderSection(Section):
    """The pre-trained encoder θ0 that everything starts from."""

    family: str = "hubert"
    """Encoder family; `speechft list encoders` shows them."""
    checkpoint: Path | None = None
    """Checkpoint to start from: an s3prl converted `.pt`, a run folder, or an s3prl downstream `.ckpt`."""
    init: Literal["random"] | None = None
    """`random`: start from random weights instead of a checkpoint, and mean it."""
    size: Literal["tiny", "base"] = "base"
    """Architecture of a randomly initialised encoder; a checkpoint brings its own."""

    @model_validator(mode="after")
    def _one_source(self) -> EncoderSection:
        if self.checkpoint is not None and self.init is not None:
            raise ValueError("must have either 'checkpoint' or 'init: random', got both")
        return self
