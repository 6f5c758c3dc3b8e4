"""Tasks are done by processes, and their results keep the order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.workers import in_processes
from tests.scripts import run_script


def doubled(number: int) -> tuple[int, int]:
    """What is asked for, and who answers."""
    return 2 * number, os.getpid()


def dies_of_seven(number: int) -> int:
    """Kills any process but the one that asks."""
    if number == 7 and multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return -number


def test_results_come_in_order_and_tasks_are_asked_for_when_needed() -> None:
    asked = []

    def tasks() -> Iterator[int]:
        for number in range(40):
            asked.append(number)
            yield number

    results = in_processes(doubled, tasks(), workers=2)
    assert next(results)[0] == 0
    assert len(asked) < 40
    rest = list(results)
    assert [value for value, _ in rest] == list(range(2, 80, 2))
    assert os.getpid() not in {process for _, process in rest}


def test_one_task_needs_no_process() -> None:
    assert list(in_processes(doubled, [4], workers=2)) == [(8, os.getpid())]
    assert list(in_processes(doubled, [], workers=2)) == []


def test_a_task_that_kills_its_process_is_done_here() -> None:
    assert list(in_processes(dies_of_seven, range(12), workers=2)) == [-number for number in range(12)]


def test_processes_that_can_not_be_started_are_no_scripts_fault(tmp_path: Path) -> None:
    script = (
        "import multiprocessing\nfrom speechft_cli.data.workers import in_processes\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_executable('/nowhere/python')\n"
        "    print(list(in_processes(abs, [1, 2], workers=1)))\n"
    )
    done = run_script(tmp_path / "guarded.py", script)
    assert done.returncode == 1
    assert "SpeechftError: worker processes can't be started: " in done.stderr.splitlines()[-2]
    assert "Exception in thread" not in done.stderr


def test_a_script_that_every_process_would_run_again_is_told_so(tmp_path: Path) -> None:
    script = "from speechft_cli.data.workers import in_processes\nprint(list(in_processes(abs, [1, 2], workers=1)))\n"
    done = run_script(tmp_path / "unguarded.py", script)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].endswith("SpeechftError: worker processes end while they start")
