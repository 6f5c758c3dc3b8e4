"""The speakers of the synthetic corpus: espeak-ng's voice variants, each with three accents, pitches and rates."""

from __future__ import annotations

from dataclasses import dataclass

# Every variant here sounds like a person and is reproducible: espeak-ng's Reed and caleb are not, whispering,
# croaking and robot variants are left out.
_VARIANTS = """m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Alicia Andrea Andy Annie Denis Diogo Gene Hugo Jacky Lee
    Marco Mario Michael adam anika belinda benjamin boris david edward grandma grandpa linda max paul steph"""
_WOMEN = frozenset(
    ["f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie", "anika", "belinda", "grandma", "linda", "steph"]
)
_ACCENTS = ("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
_PITCHES = (50, 38, 62, 44, 56, 32, 68)
_RATES = (165, 180, 150, 172)
_ROUNDS = 3


@dataclass(frozen=True)
class Voice:
    """A speaker.

    Attributes:
        variant: espeak-ng's voice variant: formants, flutter, breath.
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

    @property
    def name(self) -> str:
        """The speaker's name."""
        return f"{self.variant}-{self.accent}"

    @property
    def gender(self) -> str:
        """female or male, as the variant's formants are."""
        return "female" if self.variant in _WOMEN else "male"


def _voices() -> tuple[Voice, ...]:
    variants = _VARIANTS.split()
    return tuple(
        Voice(
            variant=variant,
            accent=_ACCENTS[(index + 2 * round_) % len(_ACCENTS)],
            pitch=_PITCHES[(index + 3 * round_) % len(_PITCHES)],
            rate=_RATES[(index + round_) % len(_RATES)],
        )
        for round_ in range(_ROUNDS)
        for index, variant in enumerate(variants)
    )


#: The first third has all variants, the others have them again with another accent, pitch and rate.
VOICES = _voices()
