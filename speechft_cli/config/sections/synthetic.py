"""The `prepare.synthetic` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from speechft_cli.config.sections.base import WHOLE, Number, Positive, Section


class SyntheticSection(Section):
    """What the synthetic corpus is made of."""

    contents: list[Literal["sentences", "keywords", "digits", "commands"]] = Field(
        default=["sentences", "keywords", "digits", "commands"], min_length=1
    )
    """Kinds of utterances: sentences for asr, pr and sid; keywords for ks; digits; commands for ic and sf."""
    speakers: Annotated[int, Field(ge=10, le=120), WHOLE] | None = None
    """How many; default: as many as fit the size, at least 40."""
    snr: Number | None = None
    """Signal-to-noise ratio of added noise [dB]; default: no noise."""
    reverberation: Positive | None = None
    """Reverberation time of the room [s]; default: no room."""
