"""LibriSpeech's layout: `<part>/<speaker>/<chapter>/*.flac` beside `<speaker>-<chapter>.trans.txt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads any corpus in this layout; a part's split is the beginning of its name unless `splits` says more."""
    root = request.root
    folder = root / "LibriSpeech" if (root / "LibriSpeech").is_dir() else root
    for split, part in _choose_parts(folder, request.splits):
        for chapter in _chapters(folder / part):
            yield from _read_chapter(chapter, split)


LIBRISPEECH = Corpus(read)


def _chapters(part: Path) -> list[Path]:
    return sorted(chapter for chapter in part.glob("*/*") if chapter.is_dir())


def _choose_parts(folder: Path, splits: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Returns (split, part) pairs, in the order of the splits.

    Raises:
        RequestError: A wanted part is missing, or none is there at all.
    """
    there = sorted(part.name for part in folder.iterdir() if part.is_dir() and _chapters(part))
    if splits:
        chosen = [(split, part) for split in SPLITS for part in splits.get(split, ())]
        missing = [part for _, part in chosen if part not in there]
    else:
        chosen = [(split, part) for split in SPLITS for part in there if part.startswith(split)]
        missing = []
    if missing:
        raise RequestError(
            f"{folder}: must hold the parts {', '.join(missing)}, has {', '.join(there) or 'no part'}",
            "prepare.splits names the parts of train, dev and test",
        )
    if not chosen:
        raise RequestError(
            f"{folder}: must hold parts named train*, dev* or test* with <speaker>/<chapter>/*.flac inside, "
            f"has {', '.join(there) or 'none'}",
            "--root names the folder that holds train-clean-100 and its like; other names go into prepare.splits",
        )
    return chosen


def _read_chapter(chapter: Path, split: str) -> Iterator[Found]:
    speaker = chapter.parent.name
    recordings = {path.stem: path for path in chapter.glob("*.flac")}
    texts = _read_transcripts(chapter / f"{speaker}-{chapter.name}.trans.txt")
    for name in sorted(recordings.keys() | texts.keys()):
        path = recordings.get(name, chapter / f"{name}.flac")
        if name not in recordings:
            yield Rejected(name, path, split, "transcript without audio")
        elif not texts.get(name):
            yield Rejected(name, path, split, "audio without transcript")
        else:
            yield split, Utterance(id=name, audio=path, text=texts[name], speaker=speaker)


def _read_transcripts(path: Path) -> dict[str, str]:
    """Returns utterance → transcript; nothing when the file is missing, so that its audio gets rejected."""
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: must be a UTF-8 text file: {error}") from error
    return {name: text.strip() for name, _, text in (line.partition(" ") for line in lines if line.strip())}
