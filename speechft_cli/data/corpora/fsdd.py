"""Free Spoken Digit Dataset: `recordings/<digit>_<speaker>_<n>.wav`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import choose_parts, missing, recordings, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
_ARCHIVES = (
    Archive(
        f"{_PAGE}/archive/v1.0.9.tar.gz",
        "free-spoken-digit-dataset",
        sha256="8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",  # TensorFlow Datasets'
    ),
)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAME = re.compile(r"(\d)_([^_]+)_(\d+)")
_TEST, _DEV = range(0, 5), range(5, 10)  # numbers of a speaker's recordings of a digit


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads ten digits; `digit` and `keyword` are the same word.

    Of each speaker and digit recordings 0 to 4 are test, as the corpus wants it, 5 to 9 dev. `splits` chooses by
    speaker instead.
    """
    root = top_folder(request.root, "free-spoken-digit-dataset")
    folder = root / "recordings"
    files = recordings(folder)
    if not files:
        raise missing(root, "recordings", _PAGE)
    named = {name: _NAME.fullmatch(name) for name in files}
    speakers = {match[2] for match in named.values() if match}
    chosen = choose_parts(folder, speakers, splits=request.splits, default={})
    split_of = {speaker: split for split, speaker in chosen}
    for name, audio in files.items():
        match = named[name]
        if match is None:
            yield Rejected(audio.stem, audio, "train", "name without digit and speaker")
        elif not request.splits or match[2] in split_of:
            number, word = int(match[3]), _DIGITS[int(match[1])]
            own = "test" if number in _TEST else "dev" if number in _DEV else "train"
            labels = {"digit": word, "keyword": word}
            yield (
                split_of.get(match[2], own),
                Utterance(audio.stem, audio, text=word, speaker=match[2], labels=labels),
            )


FSDD = Corpus(read, language="en", licence="CC BY-SA 4.0", page=_PAGE, archives=_ARCHIVES)
