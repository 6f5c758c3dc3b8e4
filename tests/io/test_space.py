"""Room is asked for before writing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from speechft_cli.errors import SpeechftError
from speechft_cli.io.space import require_space, size_text


def test_a_folder_that_does_not_exist_yet_is_on_its_parents_disk(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(SpeechftError, match=r"yet: needs 1152921\.5 TB, but only \d+\.\d [GT]B are free") as caught:
        require_space(tmp_path / "not" / "yet", 2**60)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_more_than_is_free_is_too_much(tmp_path: Path) -> None:
    with pytest.raises(SpeechftError):
        require_space(tmp_path, shutil.disk_usage(tmp_path).total + 1)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (378_869_579, "378.9 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_are_said_in_the_largest_fitting_unit(count: int, text: str) -> None:
    assert size_text(count) == text
