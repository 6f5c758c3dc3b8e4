"""What a corpus reader is: it knows one on-disk layout; checking, sorting and writing belong to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from speechft_cli.data.archives import Archive
from speechft_cli.data.synthesis.recipe import Recipe
from speechft_cli.data.utterance import Utterance

if TYPE_CHECKING:  # a list of corpora needs no numpy
    from speechft_cli.data.columns import Row


@dataclass(frozen=True)
class Rejected:
    """Something in a corpus that can't become an utterance; it is listed, never dropped silently.

    Attributes:
        id: Of the utterance it would have been.
        audio: The recording, there or not.
        split: train, dev or test.
        reason: One of a few fixed phrases, so that they can be counted, for example "audio without transcript".
        detail: What is special about this one; may be empty.
        by_rule: Whether the corpus's own rule leaves it out, so that nothing is wrong with it.
    """

    id: str
    audio: Path
    split: str
    reason: str
    detail: str = ""
    by_rule: bool = False


@dataclass(frozen=True)
class CorpusRequest:
    """What is wanted of a corpus.

    Attributes:
        root: Where the corpus lies. A generated corpus puts its audio under `root / "audio"`, whole or not at all once
            everything has been yielded.
        splits: Our split → the corpus's parts; empty for the corpus's own split.
        hours: Wanted size of a generated corpus's train split [h], None for its default; readers of existing audio
            ignore it.
        seed: Of everything random: generated speech, and a split that the corpus does not have.
        order: Whether utterances come as the corpus has them or at random; what `hours` keeps depends on it.
        lexicon: Upper-case word → its phonemes, for phonemes of the transcripts; None for none.
        recipe: What a generated corpus is made of; readers of existing audio ignore it.
        workers: How many processes generate it.
    """

    root: Path
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hours: float | None = None
    seed: int = 0
    order: Literal["corpus", "random"] = "corpus"
    lexicon: Mapping[str, str] | None = None
    recipe: Recipe = field(default_factory=Recipe)
    workers: int = 1


#: What a reader yields: (split, utterance), or in its place what the layout itself shows to be broken, for example
#: audio without its transcript.
Found = tuple[str, Utterance] | Rejected


@dataclass(frozen=True)
class Corpus:
    """A corpus.

    Attributes:
        read: Yields what lies under the request's root, lazily, in corpus order, and opens no audio. A wrong request
            raises RequestError before anything is written: the message says what is missing.
        rows: The same as rows, for lists that may be so long that an object per utterance takes most of the time.
        needs_root: Whether the corpus must lie on disk already; False for one that is generated.
        language: Of all its utterances, as in ISO 639-1; None when they differ or it is not known.
        licence: Of the recordings; empty when it is not known.
        page: Where a person gets it; empty for the user's own recordings.
        archives: What a program may fetch of it, without an account; none where it may not.
    """

    read: Callable[[CorpusRequest], Iterator[Found]]
    rows: Callable[[CorpusRequest], Iterator[tuple[str, Row]]] | None = None
    needs_root: bool = True
    language: str | None = None
    licence: str = ""
    page: str = ""
    archives: tuple[Archive, ...] = ()
