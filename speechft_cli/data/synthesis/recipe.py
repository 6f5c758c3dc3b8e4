"""What a synthetic corpus is made of."""

from __future__ import annotations

from dataclasses import dataclass

from speechft_cli.data.utterance import Seconds

#: Kinds of utterances.
CONTENTS = ("sentences", "keywords", "digits", "commands")


@dataclass(frozen=True)
class Recipe:
    """What a synthetic corpus is made of.

    Attributes:
        contents: Kinds of utterances, of `CONTENTS`.
        speakers: How many; None for as many as fit its size.
        snr: Signal-to-noise ratio of added noise [dB]; None for clean speech.
        reverberation: Time in which the room's sound falls by 60 dB [s]; None for speech without a room.
    """

    contents: tuple[str, ...] = CONTENTS
    speakers: int | None = None
    snr: float | None = None
    reverberation: Seconds | None = None
