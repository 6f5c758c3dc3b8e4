"""AN4 (CMU census data): `etc/an4_{train,test}.{fileids,transcription}` and `wav/**/*.sph`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import (
    choose_parts,
    draw_dev,
    gender_label,
    missing,
    read_lines,
    recordings,
    top_folder,
)
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.lexicon import pronounce, read_lexicon
from speechft_cli.data.utterance import Utterance

_PAGE = "http://www.speech.cs.cmu.edu/databases/an4/"
_ARCHIVES = (Archive(f"{_PAGE}an4_sphere.tar.gz", "an4"),)
_DEV_SHARE = 0.1  # of train's speakers; the corpus has no dev
_LINE = re.compile(r"^(?:<s>)?\s*(.*?)\s*(?:</s>)?\s*\(([^()]+)\)\s*$", re.IGNORECASE)


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads transcripts, and phonemes from the dictionary that comes with the corpus.

    Dev is a tenth of train's speakers, drawn by seed, unless `splits` says more: it knows the parts train and test.
    """
    root = top_folder(request.root, "an4")
    lists = {part: root / "etc" / f"an4_{part}.transcription" for part in ("train", "test")}
    there = [part for part, path in lists.items() if path.is_file()]
    if not there:
        raise missing(root, "etc/an4_train.transcription", _PAGE)
    dictionary = root / "etc" / "an4.dic"
    lexicon = read_lexicon(dictionary) if dictionary.is_file() else {}
    audio = recordings(root / "wav", is_deep=True)
    for split, part in choose_parts(root / "etc", there, splits=request.splits):
        lines = read_lines(lists[part])
        entries = [(line, _LINE.match(line)) for line in lines]
        speakers = {_speaker(match[2]) for _, match in entries if match}
        is_drawn = not request.splits and part == "train"
        held_out = draw_dev(speakers, request.seed, share=_DEV_SHARE) if is_drawn else frozenset()
        for number, (line, match) in enumerate(entries, start=1):
            if match is None:
                place = f"{lists[part].name}:{number}"
                yield Rejected(place, lists[part], split, "line without text and id", line[:60])
                continue
            text, name = match[1], match[2].strip()
            speaker = _speaker(name)
            path = audio.get(name.lower(), _expected(root, part, name))
            place = "dev" if speaker in held_out else split
            if not text:
                yield Rejected(name, path, place, "audio without transcript")
            elif name.lower() not in audio:
                yield Rejected(name, path, place, "transcript without audio")
            else:
                labels = gender_label(speaker[:1])
                phones = pronounce(text, lexicon)
                yield place, Utterance(name, path, text=text, phones=phones, speaker=speaker, labels=labels)


AN4 = Corpus(read, language="en", licence="CMU, free to use", page=_PAGE, archives=_ARCHIVES)


def _speaker(name: str) -> str:
    """Returns the speaker of `an406-fcaw-b`; its first letter is the gender."""
    return name.strip().lower().split("-")[1] if name.count("-") > 1 else name.strip().lower()


def _expected(root: Path, part: str, name: str) -> Path:
    folder = "an4_clstk" if part == "train" else "an4test_clstk"
    return root / "wav" / folder / _speaker(name) / f"{name}.sph"
