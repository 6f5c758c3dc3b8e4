"""Text files that are none: a message, never a traceback or a wait without end; and roots that are near a corpus."""

import os
import re
from pathlib import Path

import pytest

from speechft_cli.data.corpora.layout import missing, read_lines, read_rows
from speechft_cli.errors import RequestError


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(RequestError, match=r"list\.txt: must be a text file, is something else"):
        read_lines(tmp_path / "list.txt")


def test_a_table_that_is_none_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n" + "x" * 200_000 + "\n")
    with pytest.raises(RequestError, match=re.escape(f"{tmp_path}/table.csv:3: must be a table: field larger")):
        read_rows(tmp_path / "table.csv")


@pytest.mark.parametrize("root", ["", "my corpus/data", "my corpus/wavs/s1"])
def test_a_root_that_is_too_low_or_too_high_is_answered_with_the_right_one(tmp_path: Path, root: str) -> None:
    (tmp_path / "my corpus/data").mkdir(parents=True)
    (tmp_path / "my corpus/data/train.csv").touch()
    (tmp_path / "my corpus/wavs/s1").mkdir(parents=True)
    error = missing(tmp_path / root, "data/train.csv", "https://example.org")
    assert error.hint == f"{tmp_path}/my corpus holds it: --root '{tmp_path}/my corpus'"


def test_what_lies_nowhere_near_is_said_to_be_had_and_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in "abcdefg":
        (tmp_path / "data" / name).touch()
    error = missing(tmp_path, "data/train.csv", "https://example.org")
    assert error.message == f"{tmp_path}/data: must hold train.csv, has a, b, c, d, e, …"
    assert error.hint == (
        f"https://example.org has it; it belongs to {tmp_path}/data/train.csv, and --root names the folder around it"
    )
