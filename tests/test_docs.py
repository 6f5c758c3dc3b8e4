"""The tutorial's commands and the Python page's code are run as they stand there, on small data."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.main import get_command
from typer.testing import CliRunner

from speechft_cli.cli.app import app
from speechft_cli.cli.commands import COMMANDS

DOCS = Path(__file__).parents[1] / "docs"
#: What makes a command small; the tutorial's own words stay as they are.
SMALL = {
    "finetune": ["--set", "finetune.workers=0", "--steps", "1"],
    "evaluate": [
        "--set",
        "evaluate.steps={ks: 2}",
        "--set",
        "evaluate.seeds=1",
        "--set",
        "evaluate.learning_rates={ks: [0.01]}",
    ],
}


def test_the_tutorial_is_ten_lines_from_recordings_to_a_report(
    tmp_path: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_file, tmp_path / "hubert-small")  # what is there comes before what has the name
    random = np.random.default_rng(0)
    for word in ("left", "right"):
        for number in range(12):
            path = tmp_path / "recordings" / word / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * random.standard_normal(16_000), 16_000)
    block = (DOCS / "tutorial.md").read_text(encoding="utf-8").split("```sh\n", 1)[1].split("```", 1)[0]
    lines = block.splitlines()

    assert len(lines) <= 8  # after the two that clone
    for line in lines:
        if line.startswith("speechft "):
            words = shlex.split(line)[1:]
            result = CliRunner().invoke(app, [*words, *SMALL.get(words[0], [])])
            assert result.exit_code == 0, f"{line}\n{result.stderr}"
    assert (tmp_path / "report" / "report.html").is_file()


def test_the_python_page_runs(tmp_path: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(manifests)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 3
    assert (tmp_path / "merged" / "alpha-0.5" / "encoder.pt").is_file()


def test_every_page_is_in_the_navigation() -> None:
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f": {page.name}\n" not in navigation] == []


def test_the_first_page_leads_to_every_other() -> None:
    first = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.stem != "index" and f"({page.name})" not in first] == []


def _commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"^```(?:sh|)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line.split("|")[0], comments=True)[1:] for line in lines if line.startswith("speechft ")]


def test_an_option_that_a_sentence_names_beside_its_command_is_one() -> None:
    whole = get_command(app)
    with whole.make_context("speechft", [], resilient_parsing=True) as context:
        commands = {name: whole.resolve_command(context, [name])[1] for name in COMMANDS}
    named = {
        (word, option)
        for page in (DOCS.parent / "README.md", *DOCS.glob("*.md"))
        for code in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
        if (word := code.removeprefix("speechft ").split(" ")[0]) in COMMANDS
        for option in re.findall(r"(?<!\S)--[a-z-]+", code)
    }
    known = {name: {each for part in command.params for each in part.opts} for name, command in commands.items()}
    assert ("evaluate", "--drift-only") in named
    assert sorted(each for each in named if each[1] not in known[each[0]]) == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    whole = get_command(app)
    for words in _commands(page):
        with whole.make_context("speechft", list(words), resilient_parsing=True) as context:
            name, command, rest = whole.resolve_command(context, words)
            command.make_context(name, rest, parent=context)  # raises on what it does not know
