"""Written English as characters: what recognition and slot filling spell with."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD_BOUNDARY = "|"
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
#: The 32 symbols, in the order the published fine-tuning uses; <pad> is the blank.
CHARACTERS = (*SPECIAL, WORD_BOUNDARY, *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")


def normalise_text(text: str) -> str:
    """Upper case, hyphens to blanks, an apostrophe joined to the word before, no digits or punctuation.

    Letters outside A-Z stay: they are no part of the vocabulary, so such an utterance is named instead of being
    trained on with holes in it, and what can't be recognised counts as an error.
    """
    text = text.upper().replace("’", "'").replace(" '", "'").replace("-", " ")
    return " ".join(re.sub(r"[^\w']|[\d_]", " ", text).split())


def spell_words(text: str) -> list[str]:
    """Returns the characters of normalised text, with a word boundary for each blank."""
    return [WORD_BOUNDARY if character == " " else character for character in text]


def read_characters(symbols: Sequence[str]) -> str:
    """Returns the text that characters and word boundaries spell."""
    return " ".join("".join(each for each in symbols if each not in SPECIAL).replace(WORD_BOUNDARY, " ").split())
