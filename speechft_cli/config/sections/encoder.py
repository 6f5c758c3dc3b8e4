"""The `encoder` section."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from speechft_cli.config.sections.base import EncoderPath, Section
from speechft_cli.encoders import ENCODERS

#: The family of a random encoder, where nothing else is said.
DEFAULT_FAMILY = "hubert"


class EncoderSection(Section):
    """The pre-trained encoder θ0 that everything starts from."""

    family: str | None = None
    """Encoder family; `speechft list encoders` shows them. Default: what the checkpoint is; random weights: hubert."""
    checkpoint: EncoderPath | None = None
    """Checkpoint to start from: s3prl, fairseq, a Hugging Face folder, safetensors, a run folder, or a name of
    `speechft list checkpoints`."""
    init: Literal["random"] | None = None
    """`random`: start from random weights instead of a checkpoint, and mean it."""
    size: str = "base"
    """Architecture of a random encoder: tiny, base, for most families large, for hubert small; a checkpoint brings its
    own."""

    @model_validator(mode="after")
    def _one_source(self) -> EncoderSection:
        if self.checkpoint is not None and self.init is not None:
            raise ValueError("must have either 'checkpoint' or 'init: random', got both")
        return self

    @model_validator(mode="after")
    def _known_size(self) -> EncoderSection:
        # an unknown family is reported elsewhere, with the known ones
        family = self.family or DEFAULT_FAMILY
        sizes = ENCODERS.get(family).sizes if family in ENCODERS else {self.size: {}}
        if self.size not in sizes:
            raise ValueError(f"size must be one of {', '.join(sizes)} for {family}, got {self.size!r}")
        return self
