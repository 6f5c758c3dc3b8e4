"""The speakers of the synthetic corpus: espeak-ng voice variants, each with an accent, a pitch and a rate."""

from __future__ import annotations

from dataclasses import dataclass

# Every variant here sounds like a person and is reproducible: espeak-ng's Reed and caleb are not, whispering,
# croaking and robot variants are left out.
_VARIANTS = """m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Alicia Andrea Andy Annie Denis Diogo Gene Hugo Jacky Lee
    Marco Mario Michael adam anika belinda benjamin boris david edward grandma grandpa linda max paul steph"""
_ACCENTS = ("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc")
_PITCHES = (50, 38, 62, 44, 56, 32, 68)
_RATES = (165, 180, 150, 172)


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Attributes:
        variant: espeak-ng's voice variant: formants, flutter, breath; also the speaker's name.
        accent: espeak-ng's language: pronunciation and vowel qualities.
        pitch: espeak-ng's pitch, 0 to 99; what it means in Hz depends on the variant.
        rate: Words per minute.
    """

    variant: str
    accent: str
    pitch: int
    rate: int

    @property
    def espeak_name(self) -> str:
        """The name espeak-ng knows the voice by."""
        return f"{self.accent}+{self.variant}"


VOICES = tuple(
    Voice(
        variant=variant,
        accent=_ACCENTS[index % len(_ACCENTS)],
        pitch=_PITCHES[index % len(_PITCHES)],
        rate=_RATES[index % len(_RATES)],
    )
    for index, variant in enumerate(_VARIANTS.split())
)
