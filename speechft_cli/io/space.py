"""Room on a disk, asked for before writing."""

from __future__ import annotations

import shutil
from pathlib import Path

from speechft_cli.errors import SpeechftError


def require_space(folder: Path, needed: int) -> None:
    """Makes sure that `needed` bytes fit where `folder` is or will be.

    Raises:
        SpeechftError: They don't.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise SpeechftError(
            f"{folder}: needs {size_text(needed)}, but only {size_text(free)} are free on its disk",
            "make room, or choose another output folder",
        )


def size_text(count: int) -> str:
    """Says a number of bytes in the largest fitting unit: `378.3 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if unit != "B" else f"{count} B"
        size /= 1000
    return f"{size:.1f} TB"
