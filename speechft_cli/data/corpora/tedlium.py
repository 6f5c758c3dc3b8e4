"""TED-LIUM 3 (OpenSLR-51): `legacy/{train,dev,test}/{sph,stm}`, one recording and one segment list per talk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import (
    choose_parts,
    entries,
    gender_label,
    missing,
    read_lines,
    recordings,
    top_folder,
)
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance

_PAGE = "https://www.openslr.org/51"
_ARCHIVES = (
    Archive(
        "https://www.openslr.org/resources/51/TEDLIUM_release-3.tgz",
        "TEDLIUM_release-3",
        sha256="ad1e454d14d1ad550bc2564c462d87c7a7ec83d4dc2b9210f22ab4973b9eccdb",  # torchaudio's
    ),
)
_FIELDS = 6  # talk, channel, speaker, start, end, <condition>; the rest is text
_NOT_SCORED = "ignore_time_segment_in_scoring"
_MIN_SECONDS, _MAX_SECONDS = 1.0, 60.0


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads the legacy split, talks by name, segments in their order.

    The normalised transcript is the one of the reference implementation of Speech-FT; segments it does not use are
    rejected: of less than 1 s or more than 60 s, with `<unk>`, and those that are not to be scored.
    """
    folder = top_folder(request.root, "TEDLIUM_release-3")
    if not (folder / "legacy").is_dir():
        raise missing(folder, "legacy", _PAGE)
    there = [part for part in SPLITS if (folder / "legacy" / part / "stm").is_dir()]
    if not there:
        raise missing(folder, "legacy/train/stm", _PAGE)
    for split, part in choose_parts(folder / "legacy", there, splits=request.splits):
        yield from _read_part(folder / "legacy" / part, split)


TEDLIUM = Corpus(read, language="en", licence="CC BY-NC-ND 3.0", page=_PAGE, archives=_ARCHIVES)


def normalise(text: str) -> str:
    """Returns a transcript in capitals, of the letters A to Z, apostrophes and blanks.

    `it 's` becomes `IT'S`, hyphens separate words, everything else goes.
    """
    text = text.upper().replace(" '", "'").replace("-", " ")
    return " ".join(re.sub("[^A-Z' ]", "", text).split())


def _read_part(part: Path, split: str) -> Iterator[Found]:
    talks = recordings(part / "sph")
    lists = {path.stem.lower(): path for path in entries(part / "stm") if _is_list(path)}
    for name in sorted(talks.keys() | lists.keys()):
        if name not in lists:
            yield Rejected(talks[name].stem, talks[name], split, "audio without transcript")
            continue
        audio = talks.get(name, part / "sph" / f"{lists[name].stem}.sph")
        for number, line in enumerate(read_lines(lists[name]), start=1):
            if not line.startswith(";;"):
                yield _read_segment(line, audio, split, place=f"{lists[name].name}:{number}")


def _is_list(path: Path) -> bool:
    return path.suffix.lower() == ".stm" and not path.name.startswith(".")


def _read_segment(line: str, audio: Path, split: str, *, place: str) -> Found:
    fields = line.split(maxsplit=_FIELDS)
    try:
        _, _, speaker, begin, finish, condition = fields[:_FIELDS]
        start, end = float(begin), float(finish)
    except ValueError:
        return Rejected(place, audio, split, "line without times and text", line[:60])
    name = f"{audio.stem}-{round(start * 100):07d}-{round(end * 100):07d}"
    text = fields[_FIELDS] if len(fields) > _FIELDS else ""

    def leave_out(reason: str) -> Rejected:
        return Rejected(name, audio, split, reason, place, by_rule=True)

    if text.strip() == _NOT_SCORED:
        return leave_out("not to be scored")
    if "<unk>" in text.lower():
        return leave_out("transcript with <unk>")
    if not _MIN_SECONDS <= end - start <= _MAX_SECONDS:
        return leave_out("not of 1 to 60 s")
    if not normalise(text):
        return Rejected(name, audio, split, "audio without transcript", place)
    return split, Utterance(
        name,
        audio,
        start=start,
        duration=round(end - start, 6),
        text=text.strip(),
        normalised=normalise(text),
        speaker=speaker,
        labels=gender_label(condition.strip("<>").split(",")[-1]),
    )
