"""What a corpus reader is: it knows one on-disk layout; checking, sorting and writing belong to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechft_cli.data.utterance import Utterance


@dataclass(frozen=True)
class Rejected:
    """Something in a corpus that can't become an utterance; it is listed, never dropped silently.

    Attributes:
        id: Of the utterance it would have been.
        audio: The recording, there or not.
        split: train, dev or test.
        reason: One of a few fixed phrases, so that they can be counted, for example "audio without transcript".
        detail: What is special about this one; may be empty.
    """

    id: str
    audio: Path
    split: str
    reason: str
    detail: str = ""


class Corpus(Protocol):
    """A corpus reader."""

    @property
    def needs_root(self) -> bool:
        """Whether the corpus must lie on disk already; False for one that is generated."""
        ...

    def read(
        self,
        root: Path | None,
        *,
        splits: Mapping[str, Sequence[str]],
        out: Path,
        hours: float | None,
        seed: int,
    ) -> Iterator[tuple[str, Utterance] | Rejected]:
        """Yields (split, utterance), in corpus order; opens no audio.

        What the layout itself shows to be broken, for example audio without its transcript, is yielded as `Rejected`
        in its place. A wrong request raises before anything is written.

        Args:
            root: Where the corpus lies.
            splits: Our split → the corpus's parts; empty for the corpus's own split.
            out: Folder of the manifests; a generated corpus puts its audio under `out / "audio"`, whole or not at all
                once everything has been yielded.
            hours: Wanted size of a generated corpus's train split [h], None for its default; readers of existing
                audio ignore it.
            seed: Of everything random: generated speech, and a split that the corpus does not have.

        Raises:
            RequestError: `root` does not have the layout; the message says what is missing.
        """
        ...
