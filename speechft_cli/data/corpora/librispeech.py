"""LibriSpeech's layout: `<part>/<speaker>/<chapter>/*.flac` beside `<speaker>-<chapter>.trans.txt`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.corpora.layout import GENDERS, choose_parts, folders, read_lines, recordings, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError

_PAGE = "https://www.openslr.org/12"


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads any corpus in this layout; a part's split is the beginning of its name unless `splits` says more."""
    folder = top_folder(request.root, "LibriSpeech")
    genders = _read_genders(folder / "SPEAKERS.TXT")
    there = [part.name for part in folders(folder) if any(_chapters(part))]
    default = {split: [part for part in there if part.startswith(split)] for split in SPLITS}
    parts = choose_parts(folder, there, splits=request.splits, default=default)
    if not parts:
        raise RequestError(
            f"{folder}: must hold parts named train*, dev* or test* with <speaker>/<chapter>/*.flac inside, "
            f"has {', '.join(there) or 'none'}",
            f"{_PAGE} has train-clean-100 and its like; --root names the folder they are in; "
            "other names go into prepare.splits",
        )
    for split, part in parts:
        for chapter in _chapters(folder / part):
            yield from _read_chapter(chapter, split, genders)


LIBRISPEECH = Corpus(read, language="en", licence="CC BY 4.0", page=_PAGE)


def _chapters(part: Path) -> Iterator[Path]:
    for speaker in folders(part):
        yield from folders(speaker)


def _read_genders(path: Path) -> dict[str, str]:
    """Returns speaker → gender; the list is optional."""
    if not path.is_file():
        return {}
    rows = [[cell.strip() for cell in line.split("|")] for line in read_lines(path) if not line.startswith(";")]
    return {row[0]: GENDERS[row[1].lower()] for row in rows if len(row) > 1 and row[1].lower() in GENDERS}


def _read_chapter(chapter: Path, split: str, genders: dict[str, str]) -> Iterator[Found]:
    speaker = chapter.parent.name
    audio = recordings(chapter)
    texts = _read_transcripts(chapter / f"{speaker}-{chapter.name}.trans.txt")
    for name in sorted(audio.keys() | texts.keys()):
        if name not in audio:
            yield Rejected(name, chapter / f"{name}.flac", split, "transcript without audio")
        elif not texts.get(name):
            yield Rejected(audio[name].stem, audio[name], split, "audio without transcript")
        else:
            labels = {"gender": genders[speaker]} if speaker in genders else {}
            yield (
                split,
                Utterance(audio[name].stem, audio[name], text=texts[name], speaker=speaker, labels=labels),
            )


def _read_transcripts(path: Path) -> dict[str, str]:
    """Returns lower-case utterance → transcript; none when the file is missing, so that its audio gets rejected."""
    if not path.is_file():
        return {}
    pairs = (line.strip().partition(" ") for line in read_lines(path))
    return {name.lower(): text.strip() for name, _, text in pairs}
