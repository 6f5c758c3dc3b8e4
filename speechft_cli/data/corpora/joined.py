"""Manifest folders as a corpus: several become one, or one is divided anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.manifests.folder import available_splits, read_manifest


def joined(folders: Sequence[Path]) -> Corpus:
    """Returns a corpus of what lies in manifest folders, in their order."""

    def read(request: CorpusRequest) -> Iterator[Found]:
        del request
        places = [(folder, split) for folder in folders for split in available_splits(folder) or ("train",)]
        manifests = [(split, read_manifest(folder, split)) for folder, split in places]  # all there before any is read
        for split, utterances in manifests:
            for utterance in utterances:
                yield split, utterance

    return Corpus(read)
