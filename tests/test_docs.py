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
from speechft_cli.data.manifests.folder import read_manifest
from tests.config_page import PAGE, config_page

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


def test_the_page_of_keys_is_what_the_model_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == config_page(), "python -m tests.config_page writes it"


def test_the_python_page_runs(tmp_path: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(manifests)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 3
    assert (tmp_path / "merged" / "alpha-0.5" / "encoder.pt").is_file()


def _snippet(mark: str) -> str:
    """The Python block of the page on corpora that holds `mark`."""
    page = (DOCS / "corpora.md").read_text(encoding="utf-8")
    return next(each for each in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if mark in each)


def _prepared(folder: Path) -> list[tuple[str, str, str | None, str | None, float]]:
    """Prepares list.jsonl; returns split, id, text, speaker and start of each utterance."""
    result = CliRunner().invoke(app, ["prepare", "manifest", "--root", "list.jsonl", "--out", "manifests"])
    assert result.exit_code == 0, result.stderr
    splits = {split: read_manifest(folder / "manifests", split) for split in ("train", "dev", "test")}
    return [(split, each.id, each.text, each.speaker, each.start) for split, found in splits.items() for each in found]


def _record(path: Path) -> None:
    """Writes two seconds of noise, other noise for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(list(path.name.encode()))
    soundfile.write(path, 0.1 * random.standard_normal(32_000), 16_000)


def test_common_voice_becomes_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "cv-corpus" / "en"
    for split in ("train", "dev", "test"):
        _record(root / "clips" / f"{split}.mp3")
        row = ["client_id\tpath\tsentence\tlocale", f'c-{split}\t{split}.mp3\t"Oh," he said.\ten']
        (root / f"{split}.tsv").write_text("\n".join(row) + "\n", encoding="utf-8")
    exec(_snippet("QUOTE_NONE"), {})
    assert _prepared(tmp_path) == [
        (split, f"cv-corpus/en/clips/{split}", '"Oh," he said.', f"c-{split}", 0.0)
        for split in ("train", "dev", "test")
    ]


@pytest.mark.parametrize("has_segments", [True, False])
def test_a_data_directory_of_kaldi_becomes_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_segments: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "dev", "test"):
        _record(tmp_path / "wavs" / f"{split} 1.wav")
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        name = f"ann-{split}-1" if has_segments else f"rec-{split}"
        (folder / "wav.scp").write_text(f"rec-{split} wavs/{split} 1.wav\n")
        (folder / "text").write_text(f"{name} GOOD MORNING\n")
        (folder / "utt2spk").write_text(f"{name} ann\n")
        if has_segments:
            (folder / "segments").write_text(f"{name} rec-{split} 0.50 1.75\n")
    exec(_snippet("wav.scp"), {})
    assert _prepared(tmp_path) == [
        (split, f"ann-{split}-1", "GOOD MORNING", "ann", 0.5)
        if has_segments
        else (split, f"rec-{split}", "GOOD MORNING", "ann", 0.0)
        for split in ("train", "dev", "test")
    ]


def test_a_dataset_of_hugging_face_becomes_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    sound = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = {"audio": sound, "text": datasets.Value("string"), "word": datasets.ClassLabel(names=["no", "yes"])}
    for split in ("train", "validation", "test"):
        _record(tmp_path / f"{split}.flac")
        audio = {"bytes": (tmp_path / f"{split}.flac").read_bytes(), "path": f"{split}.flac"}
        row = {"audio": [audio], "text": ["YES"], "word": [1]}
        rows = datasets.Dataset.from_dict(row, features=datasets.Features(features))
        rows.to_parquet(tmp_path / "my_dataset" / f"{split}-00000-of-00001.parquet")
    exec(_snippet("load_dataset"), {})
    assert [each[:3] for each in _prepared(tmp_path)] == [
        ("train", "audio/train/000000", "YES"),
        ("dev", "audio/validation/000000", "YES"),
        ("test", "audio/test/000000", "YES"),
    ]
    assert [each.labels for each in read_manifest(tmp_path / "manifests", "test")] == [{"word": "yes"}]


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
    named |= {
        (word, option)
        for file in (DOCS.parent / "tests" / "messages").glob("*.yaml")
        for hint in re.findall("hint: .*", file.read_text(encoding="utf-8"))
        for word, options in re.findall(r"speechft ([a-z-]+)((?: --?[a-z-]+)+)", hint)
        for option in options.split()
    }
    known = {
        name: {"--help", *(each for part in command.params for each in part.opts)} for name, command in commands.items()
    }
    assert named >= {("evaluate", "--drift-only"), ("finetune", "--help")}
    assert sorted(each for each in named if each[1] not in known[each[0]]) == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one(page: Path) -> None:
    whole = get_command(app)
    for words in _commands(page):
        with whole.make_context("speechft", list(words), resilient_parsing=True) as context:
            name, command, rest = whole.resolve_command(context, words)
            command.make_context(name, rest, parent=context)  # raises on what it does not know
