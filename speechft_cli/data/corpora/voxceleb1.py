"""VoxCeleb1: `{dev,test}/wav/<speaker>/<video>/*.wav`, split by the official list for identification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from speechft_cli.data.corpora.layout import (
    choose_parts,
    find_file,
    folders,
    gender_label,
    missing,
    read_lines,
    read_rows,
    top_folder,
)
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance

_PAGE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html"
#: The list of who is in which split; SUPERB keeps the same list under the second name.
_LISTS = ("iden_split.txt", "veri_test_class.txt")
_TRIALS = ("voxceleb1_test_v2.txt", "veri_test2.txt", "veri_test.txt")
_PARTS = {"1": "train", "2": "dev", "3": "test"}


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads the identification split: the same speakers in train, dev and test, other videos.

    The speakers of the verification trials, where a list of trials lies beside the corpus, are `test` for the task
    `asv` and carry the trials as their label `trials`; the others are its `train` and `dev`, `dev` where identification
    has its `dev`.
    """
    root = top_folder(request.root, "VoxCeleb1")
    parts = [root, *folders(root)]  # dev and test, or vox1_dev_wav and vox1_test_wav, as the archives are called
    homes = {speaker.name: speaker for part in parts for speaker in folders(part / "wav")}
    if not homes:
        raise missing(root, "dev/wav", _PAGE)
    split_list = find_file(
        root, _LISTS, f"{_PAGE} (https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta/iden_split.txt)"
    )
    split_of = {part: split for split, part in choose_parts(root, SPLITS, splits=request.splits)}
    genders = _read_genders(root / "vox1_meta.csv")
    trials = read_trials(root)
    in_trials = {name.partition("/")[0] for trial in trials for name in trial[1:]}
    compared = _compared(trials)
    for number, line in enumerate(read_lines(split_list), start=1):
        code, _, name = line.strip().partition(" ")
        if code not in _PARTS or name.count("/") != 2:
            yield Rejected(f"{split_list.name}:{number}", split_list, "train", "line without split and path", line[:60])
            continue
        part = _PARTS[code]
        if part not in split_of:
            continue
        speaker = name.partition("/")[0]
        audio = homes.get(speaker, root / "dev" / "wav" / speaker) / name.partition("/")[2]
        asv = "test" if speaker in in_trials else "dev" if part == "dev" else "train"
        yield (
            split_of[part],
            Utterance(
                utterance_id(name),
                audio,
                speaker=speaker,
                labels=gender_label(genders.get(speaker, ""))
                | ({"trials": compared[name]} if name in compared else {}),
                task_splits={"asv": asv} if in_trials else {},
            ),
        )


VOXCELEB1 = Corpus(read, licence="CC BY 4.0 (metadata), videos of their uploaders", page=_PAGE)


def utterance_id(name: str) -> str:
    """Returns the id of `speaker/video/file.wav`."""
    return Path(name).with_suffix("").as_posix().replace("/", "-")


def read_trials(root: Path) -> list[tuple[bool, str, str]]:
    """Returns the verification trials beside the corpus: same speaker or not, and two `speaker/video/file.wav`.

    None when there is no list. Of several the cleaned one counts.
    """
    path = next((root / name for name in _TRIALS if (root / name).is_file()), None)
    if path is None:
        return []
    rows = [line.split() for line in read_lines(path)]
    return [(row[0] == "1", row[1], row[2]) for row in rows if len(row) == 3 and row[0] in ("0", "1")]


def _compared(trials: Sequence[tuple[bool, str, str]]) -> dict[str, str]:
    """Returns the first recording of each trial → whom it is compared with, as the task `asv` reads it."""
    compared: dict[str, list[str]] = {}
    for is_same, first, second in trials:
        compared.setdefault(first, []).append(f"{int(is_same)}:{utterance_id(second)}")
    return {name: " ".join(others) for name, others in compared.items()}


def _read_genders(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = read_rows(path, delimiter="\t", needs=("VoxCeleb1 ID", "Gender"))
    return {row["VoxCeleb1 ID"]: row["Gender"] for row in rows}
