"""Transcripts in one typography, whatever the corpus has."""

from __future__ import annotations

import unicodedata

_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "‑": "-"})


def normalise_transcript(text: str) -> str:
    """Returns composed characters (NFC), plain quotes and hyphens, single blanks.

    Case, punctuation and digits stay: what of them is to be learned is the task's to say.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHY)
    return " ".join(text.split())
