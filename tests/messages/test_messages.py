"""Every mistake that a user can make, and the whole text that answers it.

The mistakes lie beside this file, one YAML file per command. Each says what is typed (`run`), which files lie there
(`files`, beside those of conftest.py), the exit code and the text on stderr. In it HERE is the folder, and NAMES stands
for all names of a catalogue, which grows.
"""

from __future__ import annotations

import re
import shlex
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
    assert commands >= {"list", "data", "config"}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered(mistake: dict[str, Any], mistakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mistakes)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    files = [mistakes / name for name in mistake.get("files", {})]
    for file in files:
        file.write_text(mistake["files"][file.name], encoding="utf-8")
    before = _tree(mistakes)

    result = CliRunner().invoke(app, shlex.split(mistake["run"]), prog_name="speechft")

    after = _tree(mistakes)
    for file in files:
        file.unlink()
    said = result.stderr.replace(str(mistakes), "HERE")
    said = re.sub(r"has \d+ CUDA devices", "has 0 CUDA devices", said)
    assert re.sub(r"must be one of (\S+, ){4,}\S+, got", "must be one of NAMES, got", said) == mistake["says"]
    assert result.exit_code == mistake["code"]
    assert after == before  # nothing is half-written


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_answer_says_what_to_do(mistake: dict[str, Any]) -> None:
    *lines, last = mistake["says"].splitlines()
    assert last.startswith("hint: ")
    assert any(line.startswith("error: ") for line in lines)
    assert not [word for word in ("Traceback", "Errno", "<class", "PosixPath") if word in mistake["says"]]


def _tree(folder: Path) -> dict[Path, float]:
    return {path: 0.0 if path.is_dir() else path.stat().st_mtime for path in folder.rglob("*")}
