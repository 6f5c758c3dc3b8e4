from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.errors import RequestError
from speechft_cli.io.run_folder import MetricsLog, read_metrics, read_run, write_run


def test_resuming_drops_the_lines_of_work_to_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, resume_at=0)
    for step in (5, 10, 15):
        log.append({"step": step})
    with path.open("a") as file:
        file.write('{"step": 20, "lo')  # cut short by a kill

    MetricsLog(path, resume_at=10).append({"step": 12})

    assert [line["step"] for line in read_metrics(path)] == [5, 10, 12]


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"must be a run folder with run\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize("damaged", [b"{", b'{"status": "\xff"}', b"[]"])
def test_a_damaged_record_of_a_run_says_so(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "run.json").write_bytes(damaged)
    with pytest.raises(RequestError, match=r"run\.json: can't be read"):
        read_run(tmp_path)


def test_a_run_is_written_as_it_is_read(tmp_path: Path) -> None:
    write_run(tmp_path, {"status": "done", "path": Path("a")})

    assert read_run(tmp_path) == {"status": "done", "path": "a"}
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "done"
