"""What an engine says, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.cli.display.console import Talk
from speechft_cli.cli.display.progress import Progress, step_line
from speechft_cli.cli.display.work import Work, clock
from speechft_cli.events import Advanced, DeviceMemory, Finished, Note, Result, Started, Table, TrainingStep
from tests.cli.screen import Screen

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
    best="39.10 %",
)
EVENTS = (
    Started("train", 3, "utterances"),
    Advanced(1),
    Finished("3 utterances"),
    Note("[x] is a name"),
    Note("look here", important=True),
    Started("training", 200, "updates"),
    STEP,
    Started("dev", 4, "batches"),
    Finished("WER 41.20 %"),
    Finished(),
    Table("Scores", ("model", "PER"), (("base", "5.17"),)),
)

# as long as somebody keeps the file `wait`, the training run stands still
SCRIPT = """
import logging, os, subprocess, sys, time, warnings
from pathlib import Path
from speechft_cli.cli.display.console import Talk
from speechft_cli.cli.display.progress import Progress
from speechft_cli.events import *

logger = logging.StreamHandler()  # keeps the stream that it finds
def wait():
    Path("waits").touch()
    while Path("waits").exists():
        time.sleep(0.02)

with Progress(Talk(), as_json=False) as report:
    report(Started("training", 200, "updates"))
    report(DeviceMemory(13 * 2**30, 80 * 2**30))
    report(TrainingStep(50, 200, "warm-up", 3.14159, 1e-4, 1.2345, 85.31, 3725.0, "WER 41.20 %", "39.10 %"))
    wait()
    report(Started("asr dev at step 50", 40, "utterances"))
    report(Advanced(20))
    warnings.showwarning("from Python", UserWarning, "program.py", 21, line="")
    logger.emit(logging.makeLogRecord({"msg": "from a logger"}))
    os.write(2, b"from C\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('from a child', file=sys.stderr)"])
    wait()
    report(Finished("WER 41.20 %"))
    report(Note("a note"))
    report(Finished())
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
        "training: 200 updates\n"
        "step 50/200 warm-up: loss 3.142, dev WER 41.20 %, best 39.10 %, 85 s audio/s, lr 1.00e-04, grad 1.23, "
        "1:02:05 left\n"
        "dev: 4 batches\n"
        "dev: WER 41.20 %\n"
    )


def test_paths_are_as_short_as_they_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    here = Path.cwd()
    with Progress(Talk(), as_json=False) as report:
        report(Note(f"{here}/scores.jsonl and {here}2/a and /mnt{here}/b"))
        report(Table("Merged", ("path",), ((f"{here}/merged/encoder.pt",),)))
    Talk().result(Result("done", str(here), f"speechft evaluate --data={here}/data"), as_json=False)
    out, err = capsys.readouterr()
    assert err == f"scores.jsonl and {here}2/a and /mnt{here}/b\n"
    assert [line for line in out.splitlines() if line[:1].islower() and line != "path"] == [
        "merged/encoder.pt",
        "done → .; next: speechft evaluate --data=data",
    ]


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


def test_a_score_is_said_only_when_there_is_one_and_memory_only_of_a_gpu() -> None:
    before = TrainingStep(1, 2, "frozen", 1.0, 0.0, 1.0, 1.0, 0.4)
    assert step_line(before) == "step 1/2 frozen: loss 1, 1 s audio/s, lr 0.00e+00, grad 1, 0:00:00 left"
    faulty = replace(before, skipped=2)
    assert step_line(faulty).startswith("step 1/2 frozen: loss 1, 2 left out, 1 s audio/s, ")
    memory = DeviceMemory(3 * 2**29, 2**33)
    assert step_line(before, memory) == (
        "step 1/2 frozen: loss 1, 1 s audio/s, GPU 1.5/8.0 GiB, lr 0.00e+00, grad 1, 0:00:00 left"
    )


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (90061, "25:01:01"), (-3, "0:00:00")])
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_work_says_how_far_for_how_long_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    work = Work("checking", 400, "files")
    assert str(work) == "checking:   0/400 files"
    work.advance(100, "")  # at once: this much was there already
    assert work.details() == ("100/400 files",)
    now = 110.0
    work.advance(200, "")
    now = 112.0
    assert str(work) == "checking: 200/400 files, 0:00:18 left, 10/s"
    assert work.share == 0.5
    slow = Work("reading", None, "")
    now = 120.0
    slow.advance(2, "so far")
    assert (str(slow), slow.share) == ("reading: 2, 4.0 s each, so far", None)


FACTS = "loss 3.142, dev WER 41.20 %, best 39.10 %, 85 s audio/s, GPU 13.0/80.0 GiB, lr 1.00e-04, grad 1.23"
SAID = ["program.py:21: UserWarning: from Python", "from a logger", "from C", "from a child"]


@pytest.mark.parametrize(
    ("columns", "bar", "numbers"),
    [
        (40, "training: warm-up   50/200 updates", FACTS[:27]),
        (60, f"training: warm-up  ━━{7 * '─'}   50/200 updates, 1:02:05 left", FACTS[:55]),
        (80, f"training: warm-up  {7 * '━'}{22 * '─'}   50/200 updates, 1:02:05 left", FACTS[:74]),
        (140, f"training: warm-up  {22 * '━'}{67 * '─'}   50/200 updates, 1:02:05 left", FACTS),
    ],
)
def test_a_narrow_terminal_loses_details_and_never_a_line(columns: int, bar: str, numbers: str) -> None:
    with Screen(sys.executable, ["-c", SCRIPT], columns=columns) as screen:
        text = screen.wait_for(lambda text: "loss" in text)
        assert re.sub(r"1:02:0\d", "1:02:05", text).split("\n") == [bar, numbers]  # it counts down


def test_a_terminal_that_does_not_know_its_size_counts_as_80_columns() -> None:
    with Screen("bash", ["-c", f"stty cols 0 rows 0; {shlex.join([sys.executable, '-c', SCRIPT])}"]) as screen:
        text = screen.wait_for(lambda text: "loss" in text)
        assert text.split("\n")[1] == FACTS[:74]


def test_what_others_say_stands_above_the_region_and_a_resized_terminal_shows_one_region() -> None:
    with Screen(sys.executable, ["-c", SCRIPT], columns=80) as screen:
        screen.wait_for(lambda text: "loss" in text)
        Path("waits").unlink()
        screen.wait_for(lambda text: "from a child" in text and "asr dev" in text)
        for columns, fitting in ((60, 55), (100, 99)):
            screen.resize(columns)
            text = screen.wait_for(lambda text, end=FACTS[:fitting]: text.endswith(end))
            *above, training, dev, _ = text.split("\n")
            assert above == SAID
            assert training.startswith("training: warm-up   ━")
            assert re.search(r"   50/200 updates, 1:02:0\d left$", training)
            assert dev.startswith("asr dev at step 50  ━")
            assert "  20/40 utterances" in dev
        Path("waits").unlink()
        assert screen.read_all().split("\n") == [
            *SAID,
            *("asr dev at step 50: WER 41.20 %", "a note", "Scores", "model   PER", "───────────", "base   5.17"),
            *("", "end"),
        ]
        assert screen.child.exitstatus == 0


def test_no_descriptor_stays_open_when_work_is_over() -> None:
    script = """
import os, time
from speechft_cli.cli.display.console import Talk
from speechft_cli.cli.display.progress import Progress
from speechft_cli.events import Note
opened = lambda: len(os.listdir("/dev/fd"))
before = opened()
for number in range(3):
    with Progress(Talk(), as_json=False) as report:
        report(Note("a note"))
patience = 500  # the listener closes its end in its own time
while opened() > before and (patience := patience - 1):
    time.sleep(0.02)
print(opened() - before, "left open")
"""
    with Screen(sys.executable, ["-c", script], columns=80) as screen:
        assert screen.read_all().split("\n") == ["a note", "a note", "a note", "0 left open"]


def test_a_terminal_that_is_closed_ends_no_run() -> None:
    begin, _, end = SCRIPT.partition("    wait()\n")  # all is said after the terminal was closed
    end = end.replace("    wait()\n", "").replace('print("end")', 'Path("ended").touch()')
    end = "\n".join(line for line in end.split("\n") if "Table" not in line)  # it is a result, which somebody must hear
    script = f"{begin}    wait()\n{end}"
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        while b"loss" not in os.read(ours, 65536):
            pass
        os.close(ours)
        Path("waits").unlink()
        assert process.wait(60) == 0
    assert Path("ended").exists()


def test_ctrl_c_takes_the_region_away() -> None:
    with Screen(sys.executable, ["-c", SCRIPT], columns=80) as screen:
        screen.wait_for(lambda text: "loss" in text)
        screen.child.sendintr()
        first, *_, last = screen.read_all().splitlines()
        assert first.startswith("Traceback")  # this script knows no better; speechft does
        assert last == "KeyboardInterrupt"


def test_nobody_draws_on_the_terminal_of_a_shell_that_has_sent_us_into_the_background(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    with Screen("bash", ["-c", f"set -m; {sys.executable} script.py & wait"]) as screen:
        for is_last in (False, True):
            while not Path("waits").exists():
                time.sleep(0.05)
            time.sleep(0.5 * is_last)  # long enough to draw
            Path("waits").unlink()
        lines = screen.read_all().split("\n")
        assert set(SAID[1:]) <= set(lines)
        assert not [line for line in lines if "loss" in line]


@pytest.mark.parametrize("name", ["CI", "JPY_PARENT_PID"])
def test_where_nobody_watches_a_terminal_gets_lines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with Screen(sys.executable, ["-c", SCRIPT], columns=140) as screen:
        text = screen.wait_for(lambda text: "1:02:0" in text)
        assert text.split("\n")[1].startswith("step 50/200 warm-up: loss 3.142")


def test_a_pipe_gets_no_escape_sequences() -> None:
    script = SCRIPT.replace("    wait()\n", "")
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stderr.splitlines()[-1] == "a note"
