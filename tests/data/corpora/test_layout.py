"""Text files that are none: a message, never a traceback or a wait without end."""

import os
import re
from pathlib import Path

import pytest

from speechft_cli.data.corpora.layout import read_lines, read_rows
from speechft_cli.errors import RequestError


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.txt")
    with pytest.raises(RequestError, match=r"list\.txt: must be a text file, is something else"):
        read_lines(tmp_path / "list.txt")


def test_a_table_that_is_none_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n" + "x" * 200_000 + "\n")
    with pytest.raises(RequestError, match=re.escape(f"{tmp_path}/table.csv:3: must be a table: field larger")):
        read_rows(tmp_path / "table.csv")
