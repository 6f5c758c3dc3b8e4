"""A corpus as it is wanted: what its reader finds, with what is true of all of it, phonemes, and an order."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

from speechft_cli.data.corpus import Corpus, CorpusRequest
from speechft_cli.data.items import as_item
from speechft_cli.data.lexicon import Gaps, with_phones
from speechft_cli.data.preparing.external_sort import ExternalSort
from speechft_cli.data.verdicts import Bad, Item, pack_items, unpack_items


def read_corpus(corpus: Corpus, request: CorpusRequest, gaps: Gaps) -> Iterator[Item]:
    """Yields what the corpus has, in the order that is wanted.

    In corpus order it is as lazy as the reader; for a random order everything is read first. Memory stays flat.

    Args:
        corpus: What is read.
        request: What is wanted of it.
        gaps: Learns what the lexicon lacks.

    Raises:
        RequestError: As the reader does.
    """
    items: Iterator[Item] = map(as_item, corpus.read(request)) if corpus.rows is None else corpus.rows(request)
    if corpus.language or corpus.licence:
        items = _with_facts(corpus, items)
    if request.lexicon is not None:
        items = with_phones(items, request.lexicon, gaps)
    yield from items if request.order == "corpus" else _shuffled(items, request.seed)


def _with_facts(corpus: Corpus, items: Iterator[Item]) -> Iterator[Item]:
    """Yields utterances with the corpus's language and licence, where they have none of their own."""
    for each in items:
        if isinstance(each, Bad):
            yield each
        else:
            split, row = each
            language = row.language or corpus.language
            licence = row.licence or corpus.licence or None
            yield split, row._replace(language=language, licence=licence)


def _shuffled(items: Iterator[Item], seed: int) -> Iterator[Item]:
    with contextlib.closing(ExternalSort(None)) as sort:
        for place, each in enumerate(items):
            line = bytes(memoryview(pack_items([each])))  # a copy: what orjson returns holds kilobytes more
            sort.add((_drawn(each, seed), place), line)
        for _, line in sort.sorted():
            yield from unpack_items(line)


def _drawn(each: Item, seed: int) -> str:
    # a hash instead of a shuffle: the order does not depend on what else there is
    name = each.id if isinstance(each, Bad) else each[1].id
    return hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).hexdigest()
