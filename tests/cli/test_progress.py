"""What an engine says, on a terminal and off it."""

from __future__ import annotations

import subprocess
import sys

import pexpect
import pytest

from speechft_cli.cli.console import Talk
from speechft_cli.cli.progress import Progress, clock, step_line
from speechft_cli.events import Advanced, Finished, Note, Started, Table, TrainingStep

STEP = TrainingStep(
    step=50,
    steps=200,
    stage="warm-up",
    loss=3.14159,
    learning_rate=1e-4,
    gradient_norm=1.2345,
    audio_rate=85.31,
    remaining=3725.0,
    score="WER 41.20 %",
)
EVENTS = (
    Started("train", 3, "utterances"),
    Advanced(1),
    Finished("3 utterances"),
    Note("[x] is a name"),
    Note("look here", important=True),
    STEP,
    Started("dev", 4, "batches"),
    Finished("WER 41.20 %"),
    Table("Scores", ("model", "PER"), (("base", "5.17"),)),
)

SCRIPT = """
import time
from speechft_cli.cli.console import Talk
from speechft_cli.cli.progress import Progress
from speechft_cli.events import *
with Progress(Talk(), as_json=False) as report:
    report(TrainingStep(50, 200, "warm-up", 3.14159, 1e-4, 1.2345, 85.31, 3725.0, "WER 41.20 %"))
    time.sleep(0.5)
    report(Note("a note"))
    report(Table("Scores", ("model", "PER"), (("base", "5.17"),)))
print("end")
"""


def _show(*, is_quiet: bool = False, as_json: bool = False) -> None:
    with Progress(Talk(is_quiet=is_quiet), as_json=as_json) as report:
        for event in EVENTS:
            report(event)


def test_off_a_terminal_every_log_step_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _show()
    out, err = capsys.readouterr()
    assert out == "Scores\nmodel   PER\n───────────\nbase   5.17\n\n"
    assert err == (
        "train: 3 utterances\n"
        "train: 3 utterances\n"
        "[x] is a name\n"
        "look here\n"
        "step 50/200 warm-up: loss 3.142, lr 1.00e-04, grad 1.23, 85 s audio/s, dev WER 41.20 %, 1:02:05 left\n"
        "dev: 4 batches\n"
        "dev: WER 41.20 %\n"
    )


def test_quiet_leaves_results_and_what_is_important(capsys: pytest.CaptureFixture[str]) -> None:
    _show(is_quiet=True)
    out, err = capsys.readouterr()
    assert out.startswith("Scores\n")
    assert err == "look here\n"


def test_with_json_no_table_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    _show(as_json=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "base   5.17" in err


def test_a_score_is_said_only_when_there_is_one() -> None:
    before = TrainingStep(1, 2, "frozen", 1.0, 0.0, 1.0, 1.0, 0.4)
    assert step_line(before) == "step 1/2 frozen: loss 1, lr 0.00e+00, grad 1, 1 s audio/s, 0:00:00 left"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (90061, "25:01:01"), (-3, "0:00:00")])
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_on_a_terminal_the_region_shows_the_step_and_goes_away() -> None:
    child = pexpect.spawn(sys.executable, ["-c", SCRIPT], encoding="utf-8", timeout=20, dimensions=(24, 80))
    child.expect("warm-up ")
    child.expect("50/200 1:02:05 left")
    child.expect("loss 3.142, lr 1.00e-04, grad 1.23, 85 s audio/s, dev WER 41.20 %")
    child.expect("a note")
    child.expect("Scores")
    child.expect("end")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_pipe_gets_no_escape_sequences() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stderr.splitlines()[-1] == "a note"
