"""A corpus as it is wanted: what its reader finds, with what is true of all of it, phonemes, and an order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.lexicon import read_lexicon, with_phones


def read_corpus(corpus: Corpus, request: CorpusRequest) -> Iterator[Found]:
    """Yields what the corpus has, in the order that is wanted.

    In corpus order it is as lazy as the reader; for a random order everything is read first.

    Raises:
        RequestError: As the reader does; or the lexicon can't be read.
    """
    lexicon = None if request.lexicon is None else read_lexicon(request.lexicon)
    found = _with_facts(corpus, corpus.read(request))
    if lexicon is not None:
        found = with_phones(found, lexicon)
    yield from found if request.order == "corpus" else sorted(found, key=lambda each: _drawn(each, request.seed))


def _with_facts(corpus: Corpus, found: Iterator[Found]) -> Iterator[Found]:
    """Yields utterances with the corpus's language and licence, where they have none of their own."""
    for each in found:
        if isinstance(each, Rejected):
            yield each
        else:
            split, utterance = each
            language = utterance.language or corpus.language
            licence = utterance.licence or corpus.licence or None
            if (language, licence) != (utterance.language, utterance.licence):  # a copy costs as much as reading a line
                utterance = replace(utterance, language=language, licence=licence)
            yield split, utterance


def _drawn(each: Found, seed: int) -> bytes:
    # a hash instead of a shuffle: the order does not depend on what else there is
    name = each.id if isinstance(each, Rejected) else each[1].id
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest()
