"""Running the true command line, in a folder of its own, 80 columns wide and without colour."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner, Result

from speechft_cli.cli.app import app
from tests.cli.documents import check_document


class Speechft(Protocol):
    """Calls `speechft` with arguments."""

    def __call__(self, *arguments: str | Path) -> Result:
        """Returns exit code, stdout and stderr."""
        ...


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")  # nobody answers where the cursor is
    for name in ("FORCE_COLOR", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)  # every call of the command line silences other libraries


@pytest.fixture
def speechft() -> Speechft:
    """The command line, in this process."""

    def call(*arguments: str | Path) -> Result:
        typed = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, typed, prog_name="speechft")
        if "--json" in typed and result.stdout:
            check_document(typed, result.stdout)
        return result

    return call
