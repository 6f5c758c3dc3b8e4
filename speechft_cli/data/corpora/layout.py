"""What the readers of layouts share: text files, missing pieces, chosen parts, drawn splits."""

from __future__ import annotations

import csv
import hashlib
import itertools
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from speechft_cli.data.utterance import SPLITS
from speechft_cli.errors import RequestError
from speechft_cli.io.walk import walk

#: What counts as a recording, in either case.
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".sph", ".opus")
#: The split of a corpus whose parts are called as our splits are.
_SAME_NAMES = {split: [split] for split in SPLITS}
_GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
_SHOWN = 5  # names of what lies there
_LEVELS = 3  # above a `--root` that is too low


def gender_label(word: str) -> dict[str, str]:
    """Returns the label for what a list of speakers says of a gender; no label for anything else."""
    gender = _GENDERS.get(word.lower())
    return {"gender": gender} if gender else {}


def top_folder(root: Path, *names: str) -> Path:
    """Returns the archive's own top folder when `root` holds it under one of `names`, else `root` itself.

    Raises:
        RequestError: `root` is no folder.
    """
    if not root.is_dir():
        raise RequestError(f"{root}: must be a folder, is a file", "--root names the folder that holds the corpus")
    return next((root / name for name in names if (root / name).is_dir()), root)


def missing(folder: Path, what: str, page: str) -> RequestError:
    """Says that a corpus lacks a file or folder, and where it lies near `folder`, or where to get it and to put it."""
    wanted = folder / what
    home = next(place for place in wanted.parents if place.is_dir())
    there = sorted(path.name for path in home.iterdir())
    shown = ", ".join(there[:_SHOWN]) + (", …" if len(there) > _SHOWN else "")
    nearby = next((place for place in _near(folder) if _is_there(place / what)), None)
    return RequestError(
        f"{home}: must hold {wanted.relative_to(home)}, has {shown or 'nothing'}",
        f"{page} has it; it belongs to {wanted}, and --root names the folder around it"
        if nearby is None
        else f"{nearby} holds it: --root {shlex.quote(str(nearby))}",
    )


def _near(folder: Path) -> Iterator[Path]:
    """Yields where a corpus may lie whose `--root` is a little too low or too high."""
    yield from itertools.islice(folder.parents, _LEVELS)
    yield from folders(folder)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no right to look into a folder beside
        return False


def find_file(folder: Path, names: Sequence[str], page: str) -> Path:
    """Returns the first of `names` that is a file in `folder`.

    Raises:
        RequestError: There is none; the message has the page and where to put it.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise missing(folder, names[0], page)


def read_lines(path: Path) -> list[str]:
    """Returns the lines that are not blank; a byte order mark and DOS line ends are taken off.

    Raises:
        RequestError: It can't be read, or is not UTF-8.
    """
    return [line.rstrip("\r") for line in _read_text(path).split("\n") if line.strip()]


def read_rows(path: Path, *, delimiter: str = ",", needs: Collection[str] = ()) -> list[dict[str, str]]:
    """Returns the rows of a table with a header, as column → cell; missing cells are empty.

    Raises:
        RequestError: It can't be read, is no table in UTF-8, or lacks one of the columns it `needs`.
    """
    rows = csv.DictReader(_read_text(path).splitlines(), delimiter=delimiter, restval="")
    try:
        columns = rows.fieldnames or ()
        if absent := [name for name in needs if name not in columns]:
            raise RequestError(f"{path}: must have the columns {', '.join(absent)}, has {', '.join(columns) or 'none'}")
        return [{name: (cell or "").strip() for name, cell in row.items() if name is not None} for row in rows]
    except csv.Error as error:
        raise RequestError(f"{path}:{rows.reader.line_num}: must be a table: {error}") from error


def recordings(folder: Path, *, is_deep: bool = False) -> dict[str, Path]:
    """Returns lower-case name without suffix → recording, sorted; lists and discs differ in case.

    Args:
        folder: Where they lie; there are none when it is not there.
        is_deep: Whether those in its folders count too.

    Raises:
        OSError: A folder can't be read.
    """
    paths = (path for path in entries(folder, is_deep=is_deep) if path.suffix.lower() in SUFFIXES)
    return {path.stem.lower(): path for path in sorted(paths) if path.name[0] != "."}


def entries(folder: Path, *, is_deep: bool = False) -> Iterator[Path]:
    """Yields what lies in a folder, in no order, and in the folders in it; nothing when it is not there.

    `Path.glob` leaves out a folder that it may not read without a word.

    Raises:
        OSError: A folder can't be read.
    """

    def fail(error: OSError) -> None:
        raise error

    if not folder.is_dir():
        return
    for place, inner, names in walk(folder, fail=fail):
        yield from (place / name for name in (*inner, *names))
        if not is_deep:
            return


def choose_parts(
    folder: Path,
    there: Collection[str],
    *,
    splits: Mapping[str, Sequence[str]],
    default: Mapping[str, Sequence[str]] = _SAME_NAMES,
) -> list[tuple[str, str]]:
    """Returns (split, part) pairs in the order of the splits.

    Args:
        folder: Where the parts lie, for messages.
        there: The parts that there are.
        splits: The wanted ones; empty for the default.
        default: The corpus's own split, of which what is not there is left out.

    Raises:
        RequestError: A wanted part is missing.
    """
    chosen = [(split, part) for split in SPLITS for part in (splits or default).get(split, ())]
    if absent := [part for _, part in chosen if splits and part not in there]:
        raise RequestError(
            f"{folder}: must hold the parts {', '.join(absent)}, has {', '.join(sorted(there)) or 'no part'}",
            "prepare.splits names the parts of train, dev and test",
        )
    return [(split, part) for split, part in chosen if part in there]


def split_by_part(
    folder: Path, parts: Iterable[str], *, splits: Mapping[str, Sequence[str]], seed: int
) -> dict[str, str]:
    """Returns part → split: as `splits` wants, else drawn; for corpora without splits, whose parts are speakers.

    Raises:
        RequestError: A wanted part is missing.
    """
    there = sorted(set(parts))
    if not splits:
        return draw_splits(there, seed)
    return {part: split for split, part in choose_parts(folder, there, splits=splits, default={})}


def draw_splits(names: Collection[str], seed: int) -> dict[str, str]:
    """Returns name → split: a tenth dev, a tenth test, at least one each when there are three; the rest is train."""
    tenth = max(1, round(len(names) / 10)) if len(names) >= len(SPLITS) else 0
    return {
        name: "dev" if rank < tenth else "test" if rank < 2 * tenth else "train"
        for rank, name in enumerate(_drawn_order(names, seed))
    }


def draw_dev(names: Collection[str], seed: int, *, share: float) -> frozenset[str]:
    """Returns the names drawn for dev, `share` of them, for corpora whose own split has no dev."""
    count = max(1, round(len(names) * share)) if len(names) > 1 else 0
    return frozenset(_drawn_order(names, seed)[:count])


def _drawn_order(names: Iterable[str], seed: int) -> list[str]:
    # a hash instead of a shuffle: one more name moves few others
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode(errors="surrogateescape")).digest())


def folders(folder: Path) -> Iterator[Path]:
    """Yields the folders in `folder`, sorted, hidden ones and what a Mac adds left out; none when it is not there."""
    if folder.is_dir():
        yield from sorted(
            each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "__MACOSX"))
        )


def _read_text(path: Path) -> str:
    if path.exists() and not path.is_file():  # a pipe would wait for its writer for ever
        raise RequestError(f"{path}: must be a text file, is something else")
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: must be a UTF-8 text file: {error}") from error
