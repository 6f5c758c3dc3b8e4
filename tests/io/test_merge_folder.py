"""What kills in the middle of merges left, in a grid of any size."""

from __future__ import annotations

import sys
from pathlib import Path

from speechft_cli.io.atomic import UNFINISHED
from speechft_cli.io.merge_folder import remove_leftovers

_LISTED: list[Path] = []
_ASKED: set[Path] = set()


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"os.scandir", "os.listdir"} and Path(str(arguments[0])) in _ASKED:
        _LISTED.append(Path(str(arguments[0])))


sys.addaudithook(_note)  # stays until the process ends, and says nothing but in the test that asks


def test_a_grid_of_any_size_is_listed_as_often_and_comes_out_clean(tmp_path: Path) -> None:
    listed = []
    for size in (3, 50):
        out = tmp_path / str(size)
        grid = [out / f"alpha-{number / size}" for number in range(1, size + 1)]
        for folder in grid[1:]:
            folder.mkdir(parents=True)
        half, old = out / ".alpha-1.0.abcdefgh", out / f".{grid[0].name}.ijklmnop.old"
        for folder in (half, old, grid[1] / UNFINISHED):
            folder.mkdir()
        _LISTED.clear()
        _ASKED.add(out)
        remove_leftovers(out, grid)
        _ASKED.clear()
        listed.append(len(_LISTED))
        assert sorted(out.rglob("*")) == sorted(grid)  # the first one is back, under its name
    assert listed[0] == listed[1]
