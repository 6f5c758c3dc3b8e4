"""Pronunciations: lexicon files in the formats of CMUdict, LibriSpeech, Kaldi and Sphinx."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from speechft_cli.data.inspection import Bad, Item
from speechft_cli.data.utterances import row_target
from speechft_cli.errors import RequestError

Lexicon = Mapping[str, str]

_VARIANT = re.compile(r"\(\d+\)$")


def read_lexicon(path: Path) -> Lexicon:
    """Returns upper-case word → phonemes separated by blanks; of several pronunciations the first one.

    A line is a word and its phonemes, separated by blanks or tabs. `;;;` and ` # ` begin comments, `WORD(2)` is
    another pronunciation of WORD.

    Raises:
        RequestError: It can't be read, or some line has no phonemes.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")  # CMUdict 0.7b has a few Latin-1 words
    except OSError as error:
        raise RequestError(
            f"{path}: must be a lexicon, can't be read: {error.strerror}", "--lexicon FILE, for example CMUdict"
        ) from error
    lexicon: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(";;;") or not line.strip():
            continue
        word, *phones = line.partition(" #")[0].split()
        if not phones:
            raise RequestError(
                f"{path}:{number}: must be a word and its phonemes, got {line.strip()[:40]!r}",
                "a line of a lexicon is for example: HELLO HH AH0 L OW1",
            )
        lexicon.setdefault(_VARIANT.sub("", word).upper(), " ".join(phones))
    return lexicon


def pronounce(text: str, lexicon: Lexicon) -> str | None:
    """Returns the phonemes of a text, None when some word of it is not in the lexicon."""
    words = [lexicon.get(word) for word in text.upper().split()]
    return " ".join(word for word in words if word) if words and all(words) else None


def with_phones(items: Iterable[Item], lexicon: Lexicon) -> Iterator[Item]:
    """Yields items, utterances with the phonemes of their text where all words are in the lexicon."""
    for each in items:
        if isinstance(each, Bad) or each[1].text is None:
            yield each
        else:
            split, row = each
            yield split, row._replace(phones=pronounce(row_target(row, "text") or "", lexicon) or row.phones)
