"""Every mistake that a user can make, and the whole text that answers it.

The mistakes lie beside this file, one YAML file per command. Each says what is typed (`run`), which files lie there
(`files`, beside those of conftest.py), which library it takes to get so far (`needs`), in which folder another process
works (`held`), how many bytes a file takes before the disk is full (`room`), what stays for the next run to go on with
(`leaves`), the exit code and the text on stderr. In it HERE is the folder, NUMBER a process, and NAMES stands for all
names of a catalogue, which grows.
"""

from __future__ import annotations

import contextlib
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from speechft_cli.cli.app import app

MISTAKES = [
    pytest.param(mistake, id=f"{file.stem}-{number}")
    for file in sorted(Path(__file__).parent.glob("*.yaml"))
    for number, mistake in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")), start=1)
]


def test_there_are_many_mistakes() -> None:
    typed = [mistake.values[0]["run"] for mistake in MISTAKES]
    commands = {word for run in typed for word in run.split()}
    assert len(MISTAKES) >= 80
    assert commands >= {
        "init",
        "import-s3prl",
        "prepare",
        "finetune",
        "merge",
        "evaluate",
        "convert",
        "extract",
        "demo",
    }
    assert commands >= {"list", "data", "config", "doctor"}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered(mistake: dict[str, Any], mistakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "needs" in mistake:
        pytest.importorskip(mistake["needs"])
    monkeypatch.chdir(mistakes)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    files = [mistakes / name for name in mistake.get("files", {})]
    for file in files:
        file.write_text(mistake["files"][file.name], encoding="utf-8")

    with contextlib.ExitStack() as stack:
        if "held" in mistake:
            stack.enter_context(_held(mistakes / mistake["held"]))
        before = _tree(mistakes)
        if "room" in mistake:
            stack.enter_context(_room(mistake["room"]))
        result = CliRunner().invoke(app, shlex.split(mistake["run"]), prog_name="speechft")
        if "leaves" in mistake:
            shutil.rmtree(mistakes / mistake["leaves"])
        after = _tree(mistakes)

    for file in files:
        file.unlink()
    said = result.stderr.replace(str(mistakes), "HERE")
    said = re.sub(r"by process \d+", "by process NUMBER", said)
    said = re.sub(r"has \d+ CUDA devices", "has 0 CUDA devices", said)
    assert re.sub(r"must be one of (\S+, ){4,}\S+, got", "must be one of NAMES, got", said) == mistake["says"]
    assert result.exit_code == mistake["code"]
    assert not result.stdout or "--json" in mistake["run"]
    assert after == before  # nothing is half-written


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_answer_says_what_to_do(mistake: dict[str, Any]) -> None:
    *lines, last = mistake["says"].splitlines()
    assert last.startswith("hint: ")
    assert any(line.startswith("error: ") for line in lines)
    assert not [word for word in ("Traceback", "Errno", "<class", "PosixPath") if word in mistake["says"]]


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lets another process work in a folder, under its lock."""
    code = (
        "import sys; from pathlib import Path; from speechft_cli.io.lock import locked\n"
        "with locked(Path(sys.argv[1]), print, leave_nothing=True): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.close()


@contextlib.contextmanager
def _room(size: int) -> Iterator[None]:
    """Lets no file grow past a size; a write past it fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _tree(folder: Path) -> dict[Path, float]:
    return {path: 0.0 if path.is_dir() else path.stat().st_mtime for path in folder.rglob("*")}
