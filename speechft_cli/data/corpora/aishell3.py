"""AISHELL-3 (OpenSLR-93): `{train,test}/wav/<speaker>/*.wav` and `{train,test}/content.txt`, Mandarin."""

from __future__ import annotations

from collections.abc import Iterator

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import choose_parts, draw_dev, gender_label, missing, read_lines, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://www.openslr.org/93"
_ARCHIVES = (Archive("https://www.openslr.org/resources/93/data_aishell3.tgz", "data_aishell3"),)
_DEV_SHARE = 0.05  # of train; the corpus has no dev
_SPEAKER_LENGTH = len("SSB0005")


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads characters as text and pinyin with tones as phonemes.

    Dev is a twentieth of the utterances of train, drawn by seed, unless `splits` says more: it knows the parts train
    and test, which share no utterance.
    """
    root = top_folder(request.root, "data_aishell3")
    there = [part for part in ("train", "test") if (root / part / "content.txt").is_file()]
    if not there:
        raise missing(root, "train/content.txt", _PAGE)
    info = root / "spk-info.txt"
    said = [line for line in read_lines(info) if not line.startswith("#")] if info.is_file() else []
    rows = [[cell.strip() for cell in line.split("\t")] for line in said]  # one gender has a blank behind it
    about = {row[0]: gender_label(row[2]) | ({"accent": row[3]} if row[3] else {}) for row in rows if len(row) > 3}
    for split, part in choose_parts(root, there, splits=request.splits):
        lines = read_lines(root / part / "content.txt")
        names = [line.split(maxsplit=1)[0] for line in lines]
        held_out = draw_dev(names, request.seed, share=_DEV_SHARE) if not request.splits and part == "train" else ()
        for name, line in zip(names, lines, strict=True):
            characters, pinyin = line.split()[1::2], line.split()[2::2]
            speaker = name[:_SPEAKER_LENGTH]
            audio = root / part / "wav" / speaker / name
            place = "dev" if name in held_out else split
            if not characters:
                yield Rejected(audio.stem, audio, place, "audio without transcript")
                continue
            yield (
                place,
                Utterance(
                    audio.stem,
                    audio,
                    text="".join(characters),
                    phones=" ".join(pinyin) or None,
                    speaker=speaker,
                    labels=about.get(speaker, {}),
                ),
            )


AISHELL3 = Corpus(read, language="zh", licence="Apache 2.0", page=_PAGE, archives=_ARCHIVES)
