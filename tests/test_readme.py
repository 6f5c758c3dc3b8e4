"""The README's commands are run as they stand there, on small data under the names it uses."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from speechft_cli.cli.app import app
from speechft_cli.cli.commands import COMMANDS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
#: What makes a command small; the README's own words stay as they are.
SMALL = {
    "finetune": ["--set", "finetune.steps=2", "--set", "finetune.workers=0", "--set", "finetune.min_seconds=0.5"],
    "evaluate": [
        *("--set", "evaluate.steps={sid: 5, asr: 2}"),
        *("--set", "evaluate.learning_rates={sid: [0.01], asr: [0.001]}"),
        *("--set", "evaluate.seeds=1"),
    ],
}


def commands_under(heading: str) -> list[list[str]]:
    """The `speechft` commands of the first shell block after `heading`."""
    section = README.split(f"{heading}\n", 1)[1]
    block = section.split("```sh\n", 1)[1].split("```", 1)[0].replace("\\\n", " ")
    return [shlex.split(line, comments=True)[1:] for line in block.splitlines() if line.startswith("speechft ")]


@pytest.fixture
def _librispeech(tmp_path: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copy(tiny_file, tmp_path / "hubert-base")  # what is there comes before what has the name
    random = np.random.default_rng(0)
    for part, speakers in (("train-clean-100", (10, 11)), ("dev-clean", (20, 21)), ("test-clean", (30, 31))):
        for speaker in speakers:
            chapter = tmp_path / "LibriSpeech" / part / str(speaker) / "1"
            chapter.mkdir(parents=True)
            lines = []
            for index in range(6):
                name = f"{speaker}-1-{index:04}"
                soundfile.write(chapter / f"{name}.flac", 0.1 * random.standard_normal(12_000), 16_000)
                lines.append(f"{name} HELLO WORLD\n")
            (chapter / f"{speaker}-1.trans.txt").write_text("".join(lines), encoding="utf-8")


def run(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, *SMALL.get(command[0], [])])
    assert result.exit_code == 0, f"speechft {shlex.join(command)}\n{result.stderr}"


@pytest.mark.usefixtures("_librispeech")
def test_the_four_commands_do_the_job(tmp_path: Path) -> None:
    commands = commands_under("## The job on your own data")
    assert [command[0] for command in commands] == ["prepare", "finetune", "merge", "evaluate"]
    for command in commands:
        run([part.replace("/corpora/LibriSpeech", "LibriSpeech") for part in command])

    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    for label in ("base", "tuned", "alpha-0.25", "alpha-0.5"):
        assert label in report


@pytest.mark.usefixtures("_librispeech")
def test_one_yaml_does_the_same_job(tmp_path: Path) -> None:
    (tmp_path / "speechft.yaml").write_text(
        "output_dir: out\n"
        "encoder: {checkpoint: hubert-base}\n"
        "prepare: {corpus: librispeech, root: LibriSpeech}\n"
        "merge: {alphas: 0:1:0.5}\n"
        "evaluate: {tasks: [sid]}\n",
        encoding="utf-8",
    )
    commands = commands_under("### One YAML instead of flags")
    assert [command[0] for command in commands] == ["prepare", "finetune", "merge", "evaluate"]
    for command in commands:
        run(command)

    assert (tmp_path / "out" / "evaluate" / "report.html").is_file()


def test_the_two_make_commands_exist() -> None:
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_every_command_is_in_the_table() -> None:
    for name in COMMANDS:
        assert f"| `{name}` |" in README
