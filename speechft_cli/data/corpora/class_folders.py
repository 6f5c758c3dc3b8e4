"""One folder of recordings per class: `[train|dev|valid|test/]<class>/**/*.wav`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from speechft_cli.data.corpora.layout import SUFFIXES, draw_splits, entries, folders, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.utterance import SPLIT_NAMES, SPLITS, Utterance
from speechft_cli.errors import RequestError

#: Recordings that can't be read. They are found all the same, so that they are listed as rejected, with the way out.
_FOREIGN = (".m4a", ".aac", ".wma", ".webm", ".amr")


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads labelled recordings; the class is `labels["label"]`.

    Without split folders each class is divided 80/10/10 by a seeded hash of the paths. That knows no speakers: where
    they matter, make split folders or a manifest.
    """

    root = top_folder(request.root)
    found = False
    parts = _split_folders(root, request.splits)
    for split, part in parts or [("", root)]:
        for class_folder in folders(part):
            paths = _recordings(class_folder)
            places = {path: path.relative_to(root).as_posix() for path in paths}
            drawn = {} if parts else draw_splits(places.values(), request.seed)
            for path, place in places.items():
                found = True
                name = PurePosixPath(place).with_suffix("").as_posix()
                yield split or drawn[place], Utterance(name, path, labels={"label": class_folder.name})
    if not found:
        raise RequestError(
            f"{root}: must hold one folder per class with {', '.join(SUFFIXES)} files inside, has none",
            "the layout is ROOT/[train|dev|test/]CLASS/*.wav; without classes, --root names the folder around it",
        )


CLASS_FOLDERS = Corpus(read)


def _recordings(folder: Path) -> list[Path]:
    there = [path for path in entries(folder, is_deep=True) if path.name[0] != "."]  # a Mac puts ._a.wav beside a.wav
    found = [path for path in there if path.suffix.lower() in SUFFIXES]
    names = {path.with_suffix("") for path in found}
    foreign = (path for path in there if path.suffix.lower() in _FOREIGN and path.with_suffix("") not in names)
    return sorted([*found, *foreign])


def _split_folders(root: Path, splits: Mapping[str, Sequence[str]]) -> list[tuple[str, Path]]:
    """Returns (split, folder) pairs; none when the folders in `root` are classes.

    Raises:
        RequestError: A wanted folder is missing, or some folders look like splits and others like classes.
    """
    there = [folder.name for folder in folders(root)]
    if splits:
        chosen = [(split, part) for split in SPLITS for part in splits.get(split, ())]
        if missing := [part for _, part in chosen if part not in there]:
            raise RequestError(
                f"{root}: must hold the folders {', '.join(missing)}, has {', '.join(there) or 'none'}",
                "prepare.splits names the folders of train, dev and test",
            )
        return [(split, root / part) for split, part in chosen]
    named = [name for name in there if name.lower() in SPLIT_NAMES]
    if named and len(named) < len(there):
        others = ", ".join(name for name in there if name not in named)
        raise RequestError(
            f"{root}: must hold either splits or classes, has the splits {', '.join(named)} beside {others}",
            f"prepare.splits names the folders to use, for example {{train: [{named[0]}]}}",
        )
    order = {name: (SPLITS.index(SPLIT_NAMES[name.lower()]), name) for name in named}
    return [(SPLIT_NAMES[name.lower()], root / name) for name in sorted(named, key=lambda name: order[name])]
