"""LibriSpeech's layout: `<part>/<speaker>/<chapter>/*.flac` beside `<speaker>-<chapter>.trans.txt`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import choose_parts, folders, gender_label, read_lines, recordings, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError

_PAGE = "https://www.openslr.org/12"
#: Part → SHA-256 of its archive, as torchaudio has them.
_SUMS = {
    "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
    "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
    "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
}
_SUPERB = ("train-clean-100", "dev-clean", "test-clean")
_ARCHIVES = tuple(
    Archive(
        f"https://www.openslr.org/resources/12/{part}.tar.gz",
        f"LibriSpeech/{part}",
        sha256=sha256,
        part=part,
        is_default=part in _SUPERB,
    )
    for part, sha256 in _SUMS.items()
)


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


LIBRISPEECH = Corpus(read, language="en", licence="CC BY 4.0", page=_PAGE, archives=_ARCHIVES)


def _chapters(part: Path) -> Iterator[Path]:
    for speaker in folders(part):
        yield from folders(speaker)


def _read_genders(path: Path) -> dict[str, str]:
    """Returns speaker → gender; the list is optional."""
    if not path.is_file():
        return {}
    rows = [[cell.strip() for cell in line.split("|")] for line in read_lines(path) if not line.startswith(";")]
    return {row[0]: row[1] for row in rows if len(row) > 1}


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
            labels = gender_label(genders.get(speaker, ""))
            yield split, Utterance(audio[name].stem, audio[name], text=texts[name], speaker=speaker, labels=labels)


def _read_transcripts(path: Path) -> dict[str, str]:
    """Returns lower-case utterance → transcript; none when the file is missing, so that its audio gets rejected."""
    if not path.is_file():
        return {}
    pairs = (line.strip().partition(" ") for line in read_lines(path))
    return {name.lower(): text.strip() for name, _, text in pairs}
