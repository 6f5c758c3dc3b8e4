from pathlib import Path

import pytest

from speechft_cli.data.preparing.inspection import Inspected
from speechft_cli.data.preparing.journal import Journal


def fill(path: Path, count: int = 3) -> None:
    with Journal(path, "request") as journal:
        for number in range(count):
            journal.append(Inspected(bytes([number]) * 16, b"verdicts %d" % number))


def test_what_was_written_is_there_in_order(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    with Journal(tmp_path / "journal", "request") as journal:
        assert len(journal) == 3
        assert list(journal.verdicts()) == [b"verdicts 0", b"verdicts 1", b"verdicts 2"]
        assert (journal.state(1), journal.state(3)) == (b"\1" * 16, b"")


@pytest.mark.parametrize("lost", range(1, 40))
def test_a_kill_while_writing_costs_the_last_task_only(tmp_path: Path, lost: int) -> None:
    fill(tmp_path / "journal")
    path = tmp_path / "journal"
    path.write_bytes(path.read_bytes()[:-lost])
    with Journal(path, "request") as journal:
        assert len(journal) == (2 if lost <= 34 else 1)
        journal.append(Inspected(b"x" * 16, b"again"))
    with Journal(path, "request") as journal:
        assert list(journal.verdicts())[-1] == b"again"


def test_a_flipped_bit_ends_what_is_believed(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    content = bytearray((tmp_path / "journal").read_bytes())
    content[content.index(b"verdicts 1")] ^= 1
    (tmp_path / "journal").write_bytes(content)
    with Journal(tmp_path / "journal", "request") as journal:
        assert list(journal.verdicts()) == [b"verdicts 0"]


def test_the_journal_of_another_request_is_forgotten(tmp_path: Path) -> None:
    fill(tmp_path / "journal")
    with Journal(tmp_path / "journal", "other") as journal:
        assert len(journal) == 0
