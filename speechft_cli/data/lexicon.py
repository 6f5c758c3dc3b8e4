"""Pronunciations: lexicon files in the formats of CMUdict, LibriSpeech, Kaldi and Sphinx."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from speechft_cli.data.utterances import row_target
from speechft_cli.data.verdicts import Bad, Item
from speechft_cli.errors import RequestError

Lexicon = Mapping[str, str]

_VARIANT = re.compile(r"\(\d+\)$")
_GZIP = b"\x1f\x8b"  # how its files begin
_NAMED = 3  # words


@dataclass
class Gaps:
    """What a lexicon did not give phonemes to.

    Attributes:
        transcripts: How many there were.
        without: How many of them have no phonemes.
        words: Some words that are not in it, in the order in which they came.
    """

    transcripts: int = 0
    without: int = 0
    words: list[str] = field(default_factory=list)

    def add(self, text: str, lexicon: Lexicon) -> None:
        """Counts a transcript without phonemes."""
        self.without += 1
        for word in text.upper().split():
            if len(self.words) < _NAMED and word not in lexicon and word not in self.words:
                self.words.append(word)

    def __str__(self) -> str:
        examples = f"words that are not in it, e.g. {', '.join(self.words)}" if self.words else "no words"
        return f"lexicon: {self.without} of {self.transcripts} transcripts have no phonemes: they have {examples}"


def read_lexicon(path: Path) -> Lexicon:
    """Returns upper-case word → phonemes separated by blanks; of several pronunciations the first one.

    A line is a word and its phonemes, separated by blanks or tabs. `;;;` and ` # ` begin comments, `WORD(2)` is
    another pronunciation of WORD. The file may be packed by gzip.

    Raises:
        RequestError: It can't be read, is no text, has no words, or some line has no phonemes.
    """
    hint = "--lexicon FILE, for example CMUdict"
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: must be a lexicon, can't be read: {reason}", hint) from error
    if b"\0" in content:
        raise RequestError(f"{path}: must be a lexicon in UTF-8, is something else", hint)
    text = content.decode("utf-8-sig", errors="replace")  # CMUdict 0.7b has a few Latin-1 words
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
    if not lexicon:
        raise RequestError(f"{path}: must be a lexicon, has no words", hint)
    return lexicon


def pronounce(text: str, lexicon: Lexicon) -> str | None:
    """Returns the phonemes of a text, None when some word of it is not in the lexicon."""
    words = [lexicon.get(word) for word in text.upper().split()]
    return " ".join(word for word in words if word) if words and all(words) else None


def with_phones(items: Iterable[Item], lexicon: Lexicon, gaps: Gaps) -> Iterator[Item]:
    """Yields items, utterances with the phonemes of their text where all words are in the lexicon.

    Args:
        items: What a corpus has.
        lexicon: The pronunciations.
        gaps: Counts the texts that end up without phonemes.
    """
    for each in items:
        if isinstance(each, Bad) or each[1].text is None:
            yield each
        else:
            split, row = each
            text = row_target(row, "text") or ""
            phones = pronounce(text, lexicon) or row.phones
            gaps.transcripts += 1
            if phones is None:
                gaps.add(text, lexicon)
            yield split, row._replace(phones=phones)
