"""Looking through a folder and all below it, through links to folders too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def walk(folder: Path, *, fail: Callable[[OSError], None] | None = None) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields each folder from `folder` on, with the names of the folders and of the files in it.

    Links to folders are followed, as corpora are often put together from them, but none that leads to a folder that it
    lies in.

    Args:
        folder: Where to begin.
        fail: Called with the error of a folder that can't be read; such folders are passed over when there is none.
    """
    for place, inner, names in os.walk(folder, onerror=fail, followlinks=True):
        here = Path(place)
        inner[:] = [name for name in inner if not _leads_back(here / name)]
        yield here, inner, names


def _leads_back(path: Path) -> bool:
    return path.is_symlink() and any(path.samefile(above) for above in path.absolute().parents)
