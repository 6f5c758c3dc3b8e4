"""`speechft init`: the wizard on a real pseudo-terminal, and its ways around a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
import soundfile

from speechft_cli.cli.commands.init import Kind
from speechft_cli.cli.editors import HEADER
from speechft_cli.cli.names import unknown_names
from speechft_cli.cli.wizard.choices import DEPTHS, old_depth
from speechft_cli.cli.wizard.preview import preview
from speechft_cli.cli.wizard.question import path_of
from speechft_cli.cli.wizard.questions import QUESTIONS
from speechft_cli.config.load import load_config
from speechft_cli.config.templates import template_names, template_path
from speechft_cli.data.utterance import Utterance
from speechft_cli.tasks import TASKS
from tests.manifest_files import write_manifest

UP, DOWN = "\x1b[A", "\x1b[B"
ESCAPE = "\x1b"
ERASE_LINE = "\x15"
MERGE = """\
# yaml-language-server: $schema=speechft.schema.json
# Written by `speechft init --kind merge`. All keys: `speechft config schema`.

# Name of the experiment.
name: speechft

# Seed of everything random.
seed: 1337

# Base + tuned → one checkpoint per alpha.
merge:
  # Pre-trained checkpoint θ0; default: the encoder the fine-tuning run started
  # from.
  base: hubert-small
  # Fine-tuned checkpoints θ'; default: the best checkpoint of the fine-tuning
  # run.
  tuned: [runs/speechft/finetune]
  # Merge method; `speechft list methods` shows them.
  method: linear
  # A grid, `START:STOP:STEP` or a list: each alpha is written into its own
  # folder `alpha-<a>/`.
  alphas: 0:1:0.25
"""


SECTIONS = {
    Kind.experiment: {"prepare", "finetune", "merge", "evaluate"},
    Kind.pretrain: {"finetune", "merge"},
}


class Terminal:
    """`speechft init` on a pseudo-terminal."""

    def __init__(self, *arguments: str, columns: int = 80) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "speechft_cli", "init", *arguments],
            encoding="utf-8",
            timeout=20,
            dimensions=(60, columns),
        )

    def answer(self, prompt: str, keys: str = "") -> None:
        """Waits for a question and types; Enter comes after."""
        self.child.expect_exact(prompt)
        self.child.send(f"{keys}\r")

    def enter(self, *prompts: str) -> None:
        """Takes the answer that is proposed to some questions."""
        for prompt in prompts:
            self.answer(prompt)

    def back_to(self, why: str) -> None:
        """Presses Esc and waits for the reason of the question before, which is said once each time it is asked."""
        self.child.send(ESCAPE)
        self.child.expect_exact(why)

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus is not None
        return int(self.child.exitstatus)


@pytest.fixture
def terminal() -> Iterator[list[Terminal]]:
    """Keeps the terminals of a test, to close what it left open."""
    opened: list[Terminal] = []
    yield opened
    for each in opened:
        each.child.close(force=True)


def _open(terminal: list[Terminal], *arguments: str, columns: int = 80) -> Terminal:
    terminal.append(Terminal(*arguments, columns=columns))
    return terminal[-1]


def test_enter_to_every_question_writes_the_defaults(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge")
    for question in QUESTIONS:
        if Kind.merge in question.kinds:
            wizard.answer(question.prompt)
    wizard.child.expect_exact("alphas: 0:1:0.25")
    assert not (tmp_path / "speechft.yaml").exists(), "the preview comes before the file"
    wizard.answer("Write speechft.yaml?")
    wizard.child.expect_exact("next: speechft merge -c speechft.yaml")
    assert wizard.end() == 0
    assert (tmp_path / "speechft.yaml").read_text(encoding="utf-8") == MERGE


def test_arrow_keys_choose_and_typed_answers_are_checked_like_the_file(
    terminal: list[Terminal], tmp_path: Path
) -> None:
    wizard = _open(terminal, "--kind", "finetune", "--set", "encoder.family=hubert", "-o", "mine.yaml")
    wizard.answer("Name of the experiment", f"{ERASE_LINE}a/b")
    wizard.child.expect_exact("must be usable as a folder name")
    wizard.child.send(f"{ERASE_LINE}mine\r")
    wizard.answer("Folder of the manifests", f"{ERASE_LINE}../data")
    wizard.answer("Where the encoder starts", DOWN)
    wizard.answer("Size of the random encoder", DOWN)
    wizard.answer("Fine-tuning task", DOWN)
    wizard.answer("Optimizer updates", f"{ERASE_LINE}many")
    wizard.child.expect_exact("must be a whole number")
    wizard.child.send(f"{ERASE_LINE}20\r")
    wizard.enter("Audio per batch", "Seed")
    wizard.answer("Write mine.yaml?", "y")
    assert wizard.end() == 0
    config = load_config(tmp_path / "mine.yaml").config
    assert config.encoder is not None
    assert config.finetune is not None
    assert (config.name, config.encoder.init, config.encoder.size) == ("mine", "random", "base")
    assert (config.finetune.task, config.finetune.steps) == (list(TASKS)[1], 20)
    assert config.finetune.data == tmp_path / ".." / "data"


def test_a_question_that_does_not_apply_is_not_asked(terminal: list[Terminal]) -> None:
    wizard = _open(terminal, "--kind", "finetune", "--set", "encoder.init=null")
    for prompt in ("Name of", "Folder of", "Checkpoint to start from", "Encoder family", "Fine-tuning task"):
        wizard.answer(prompt)
    wizard.child.expect_exact("50000")


def test_the_first_question_is_what_to_do(terminal: list[Terminal]) -> None:
    wizard = _open(terminal, "--set", "name=mine")
    wizard.answer("What do you want to do?", DOWN * 3)
    wizard.child.expect_exact("Pre-trained checkpoint")


def test_escape_goes_back_to_the_question_before(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "finetune", "--set", "encoder.family=hubert", "--set", "finetune.task=asr")
    wizard.child.expect_exact("Name of the experiment")
    wizard.back_to("Folders and reports carry it.")  # nothing comes before the first question: it is asked again
    wizard.answer("Name of the experiment", f"{ERASE_LINE}first")
    wizard.answer("Folder of the manifests")
    wizard.answer("Where the encoder starts", DOWN)
    wizard.child.expect_exact("Size of the random encoder")
    wizard.back_to("The method needs pre-trained weights")
    wizard.child.expect_exact("Where the encoder starts")
    wizard.back_to("Where `speechft prepare --out` wrote them.")
    wizard.answer("Folder of the manifests", f"{ERASE_LINE}elsewhere")
    wizard.answer("Where the encoder starts")
    wizard.answer("Checkpoint to start from", f"{ERASE_LINE}mine.pt")
    wizard.enter("Optimizer updates", "Audio per batch", "Seed", "Write speechft.yaml?")
    assert wizard.end() == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.encoder is not None
    assert (config.name, config.finetune.data) == ("first", tmp_path / "elsewhere")
    assert (config.encoder.init, config.encoder.checkpoint) == (None, tmp_path / "mine.pt")


def test_escape_at_the_preview_goes_back_to_the_last_question(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge", "--set", "merge.filters=[]")
    wizard.enter("Name of", "Pre-trained", "Fine-tuned", "Merge method", "Alphas", "Seed")
    wizard.child.expect_exact("Write speechft.yaml?")
    wizard.child.send(ESCAPE)
    wizard.answer("Seed", f"{ERASE_LINE}7")
    wizard.enter("Write speechft.yaml?")
    assert wizard.end() == 0
    assert load_config(tmp_path / "speechft.yaml").config.seed == 7


def test_escape_at_the_preview_asks_again_where_nothing_else_was_asked(terminal: list[Terminal]) -> None:
    given = ["name=n", "merge.base=a.pt", "merge.tuned=[b.pt]", "merge.method=linear", "merge.alphas=0.5"]
    given += ["merge.filters=[]", "seed=1"]
    wizard = _open(terminal, "--kind", "merge", *(word for answer in given for word in ("--set", answer)))
    wizard.child.expect_exact("Write speechft.yaml?")
    wizard.child.send(ESCAPE)
    wizard.enter("Write speechft.yaml?")
    assert wizard.end() == 0


def test_a_window_of_sixty_columns_breaks_nothing(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge")
    wizard.child.setwinsize(40, 60)
    for question in QUESTIONS:
        if Kind.merge in question.kinds:
            wizard.answer(question.prompt)
    wizard.answer("Write speechft.yaml?")
    assert wizard.end() == 0
    assert (tmp_path / "speechft.yaml").read_text(encoding="utf-8") == MERGE


def test_the_whole_experiment_is_asked_in_a_narrow_window(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, columns=60)
    wizard.answer("What do you want to do?")  # the first: everything
    wizard.answer("Name of the experiment", f"{ERASE_LINE}all")
    wizard.answer("Folder or list of the recordings")
    wizard.answer("Hours to keep", f"{ERASE_LINE}lots")
    wizard.child.expect_exact("must be a number")
    wizard.child.send(f"{ERASE_LINE}all\r")
    wizard.answer("Where the encoder starts", DOWN)
    wizard.answer("Encoder family", DOWN)
    wizard.enter("Size of the random", "Fine-tuning task", "Optimizer updates", "Audio per batch")
    wizard.answer("Merge method", DOWN + UP)
    wizard.answer("Alphas", f"{ERASE_LINE}0:1:0.5")
    wizard.answer("Tasks to score on", " ")  # asr in addition
    wizard.enter("Seed", "Write speechft.yaml?")
    assert wizard.end() == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.prepare is not None
    assert config.encoder is not None
    assert config.merge is not None
    assert config.evaluate is not None
    assert (config.prepare.corpus, config.prepare.hours, config.encoder.family) == ("synthetic", None, "wav2vec2")
    assert (config.merge.method, len(config.merge.chosen_alphas)) == ("linear", 3)
    assert config.evaluate.tasks == ["asr", "pr", "sid"]


def test_pre_training_goes_on_without_labels(terminal: list[Terminal], tmp_path: Path, tiny_file: Path) -> None:
    wizard = _open(terminal)
    wizard.answer("What do you want to do?", DOWN * 2)
    wizard.enter("Name of the experiment", "Folder of the manifests")
    wizard.answer("Checkpoint to start from", f"{ERASE_LINE}{tiny_file}")
    wizard.child.expect_exact("holds a hubert")
    wizard.answer("Encoder family")
    wizard.child.expect_exact("It has 3 layers")
    wizard.answer("Hidden state")
    wizard.answer("Number of clusters", f"{ERASE_LINE}1")
    wizard.child.expect_exact("must be greater than or equal to 2")
    wizard.child.send(f"{ERASE_LINE}50\r")
    wizard.enter("Optimizer updates", "Audio per batch", "Alphas", "Seed", "Write speechft.yaml?")
    assert wizard.end() == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert (config.finetune.task, config.finetune.units.layer, config.finetune.units.clusters) == ("hubert", 2, 50)


def test_the_shipped_encoder_is_proposed_and_looked_at(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "pretrain")
    for prompt in ("Name of the experiment", "Folder of the manifests", "Checkpoint to start from"):
        wizard.answer(prompt)
    wizard.child.expect_exact("holds a hubert: 3.2 M parameters")
    wizard.answer("Encoder family")
    wizard.child.expect_exact("It has 6 layers")
    for prompt in ("Hidden state", "Number of clusters", "Optimizer updates", "Audio per batch", "Alphas", "Seed"):
        wizard.answer(prompt)
    wizard.answer("Write speechft.yaml?")
    assert wizard.end() == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.encoder is not None
    assert config.finetune is not None
    assert (config.encoder.checkpoint, config.finetune.steps) == (Path("hubert-small"), 300)


def test_evaluation_is_asked_and_abandoned(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "evaluate")
    wizard.enter("Name of the experiment", "Folder of the manifests")
    wizard.answer("Encoders to score", f"{ERASE_LINE}=x.pt")
    wizard.child.expect_exact("must be PATH or LABEL=PATH")
    wizard.child.send(f"{ERASE_LINE}a=x.pt\r")
    wizard.answer("Tasks to score on", "i i")  # none at all, then all
    wizard.child.expect_exact("Seed")
    wizard.back_to("Tasks it was not tuned on show what the encoder still knows.")
    wizard.child.sendcontrol("c")
    wizard.child.expect_exact("interrupted")
    assert wizard.end() == 130
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_answer_is_told_below_the_question(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge")
    wizard.enter("Name of the experiment", "Pre-trained checkpoint")
    wizard.answer("Fine-tuned checkpoints", ERASE_LINE)
    wizard.child.expect_exact("must be given")
    wizard.child.send(f"{ERASE_LINE}'my runs/a', my\\ runs/b \r")
    wizard.enter("Merge method")
    wizard.answer("Alphas", f"{ERASE_LINE}[0, 0.5")
    wizard.child.expect_exact("must be a value of YAML, got '[0, 0.5'")
    wizard.child.send("]\r")
    wizard.enter("Which parts", "Seed")
    wizard.child.expect_exact("not there yet: my runs/a, my runs/b")
    wizard.answer("Write speechft.yaml?")
    assert wizard.end() == 0
    assert load_config(tmp_path / "speechft.yaml").config.merge.tuned == [
        tmp_path / "my runs" / "a",
        tmp_path / "my runs" / "b",
    ]


def test_ctrl_d_ends_without_a_file(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge")
    wizard.child.expect_exact("Name of the experiment")
    wizard.child.send(f"{ERASE_LINE}\x04")
    wizard.child.expect_exact("interrupted")
    assert wizard.end() == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("'/my speech'", "/my speech"),
        ('"/my speech" ', "/my speech"),
        ("/my\\ speech ", "/my speech"),
        (" /my speech", "/my speech"),
        ("/mum's", "/mum's"),
        ("~/ünï", "~/ünï"),
    ],
)
def test_a_path_may_come_as_a_terminal_types_what_is_dropped_on_it(typed: str, path: str) -> None:
    assert path_of(typed) == path


def test_layers_of_a_merge_may_go_unequally_far(speechft, tmp_path: Path) -> None:
    speechft("init", "--kind", "merge", "--answers", _write(tmp_path / "a.yaml", "merge.alphas: 0:1:0.05\n"))
    assert load_config(tmp_path / "speechft.yaml").config.merge.filters == []
    for name, filters in DEPTHS.items():
        assert old_depth(filters) == name
        load_config(None, flags={"merge.filters": filters})
    assert old_depth([{"match": "norm", "scale": 0}]) == "its own"


OLD = """\
name: before
encoder: {checkpoint: base.pt}
prepare: {corpus: synthetic, splits: {train: [train]}}
finetune: {task: pr, learning_rate: 2e-4}
merge: {alpha: 0.5, filters: [{match: norm, scale: 0}]}
evaluate: {tasks: [pr]}
"""


def test_an_older_file_is_carried_over(speechft, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    result = speechft("init", "--from", _write(tmp_path / "old" / "c.yaml", OLD), "--defaults", "--set", "seed=7")
    assert (result.exit_code, result.stderr) == (0, "")
    old, new = (load_config(tmp_path / name).config for name in ("old/c.yaml", "speechft.yaml"))
    assert new.seed == 7
    for section in ("encoder", "prepare", "finetune", "merge", "evaluate"):
        assert getattr(new, section) == getattr(old, section)


def test_enter_takes_what_an_older_file_says(terminal: list[Terminal], tmp_path: Path) -> None:
    old = _write(tmp_path / "c.yaml", "name: before\nfinetune: {data: mine, steps: 7}\nencoder: {init: random}\n")
    wizard = _open(terminal, "--from", str(old))
    wizard.enter("Name of the experiment", "Folder of the manifests", "Where the encoder starts")
    wizard.answer("Optimizer updates", "0")  # after the 7
    wizard.enter("Seed", "Write speechft.yaml?")
    assert wizard.end() == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert (config.name, config.finetune.data, config.finetune.steps) == ("before", tmp_path / "mine", 70)


def test_a_wrong_older_file_is_told_with_its_lines(speechft, tmp_path: Path) -> None:
    result = speechft("init", "--from", _write(tmp_path / "c.yaml", "finetune: {stepz: 7}\n"), "--defaults")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {tmp_path}/c.yaml:1: finetune.stepz: unknown key; did you mean 'steps'?\n")
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_what_a_path_holds_is_found_out(speechft, tmp_path: Path, tiny_file: Path) -> None:
    for name in ("angry", "sad"):
        (tmp_path / "speech" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "speech" / name / "a.wav", [0.1] * 8000, 16_000)
    result = speechft("init", "--defaults", "--set", "prepare.root=speech", "--set", f"encoder.checkpoint={tiny_file}")
    assert (result.exit_code, result.stderr) == (0, "")
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.prepare is not None
    assert config.encoder is not None
    assert config.finetune is not None
    assert config.evaluate is not None
    assert config.prepare.corpus == "folder"
    assert (config.finetune.task, config.finetune.labels) == ("ks", {"ks": "label"})  # it has no texts to recognise
    assert (config.evaluate.tasks, config.evaluate.labels) == (["ks"], {"ks": "label"})
    assert (config.encoder.family, config.encoder.init, config.encoder.checkpoint) == ("hubert", None, tiny_file)


def test_a_home_is_looked_into(speechft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "speech" / "angry").mkdir(parents=True)
    soundfile.write(tmp_path / "home" / "speech" / "angry" / "a.wav", [0.1] * 8000, 16_000)
    _write(tmp_path / "home" / "list.jsonl", '{"audio": "a.wav", "text": "HELLO"}\n')
    corpora = {}
    for root in ("~/speech", "~/list.jsonl"):
        speechft("init", "--defaults", "--set", f"prepare.root={root}", "--force")
        corpora[root] = load_config(tmp_path / "speechft.yaml").config.prepare.corpus
    assert corpora == {"~/speech": "folder", "~/list.jsonl": "manifest"}


@pytest.mark.parametrize(
    ("columns", "tuned", "probed"),
    [
        ({"text": "HELLO", "phones": "HH AH L OW", "speaker": "ann"}, "asr", ["sid", "pr"]),
        ({"text": "HELLO", "speaker": "ann"}, "asr", ["sid", "asr"]),
        ({"keyword": "hello", "speaker": "ann"}, "ks", ["sid", "ks"]),
        ({"speaker": "ann"}, "sid", ["sid"]),
    ],
)
def test_tasks_are_proposed_that_the_recordings_have_targets_for(
    speechft, tmp_path: Path, columns: dict[str, str], tuned: str, probed: list[str]
) -> None:
    _write(tmp_path / "list.jsonl", json.dumps({"audio": "a.wav", **columns}) + "\n")
    speechft("init", "--defaults", "--set", "prepare.root=list.jsonl")
    config = load_config(tmp_path / "speechft.yaml").config
    assert (config.finetune.task, config.evaluate.tasks) == (tuned, probed)


def test_tasks_are_proposed_that_the_manifests_have_targets_for(speechft, tmp_path: Path) -> None:
    heard = Utterance(
        "a", tmp_path / "a.wav", duration=1.0, sample_rate=16_000, speaker="ann", labels={"emotion": "sad"}
    )
    write_manifest(tmp_path / "data", "train", [heard])
    for kind in ("finetune", "evaluate"):
        speechft("init", "--kind", kind, "--defaults", "-o", f"{kind}.yaml")
    assert load_config(tmp_path / "finetune.yaml").config.finetune.task == "er"
    assert load_config(tmp_path / "evaluate.yaml").config.evaluate.tasks == ["sid", "er"]


def test_a_file_is_a_list_even_where_it_can_not_be_read_yet(speechft, tmp_path: Path) -> None:
    (tmp_path / "Liste.csv").write_text("Datei;Text\na.wav;HALLO\n")
    assert speechft("init", "--defaults", "--set", "prepare.root=Liste.csv").exit_code == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.prepare is not None
    assert config.prepare.corpus == "manifest"


def test_the_preview_says_what_the_file_leads_to() -> None:
    config = load_config(
        None,
        flags={
            "output_dir": "runs",
            "encoder.init": "random",
            "encoder.size": "base",
            "finetune.steps": 300,
            "finetune.batch_seconds": 24,
            "merge.alphas": "0:1:0.25",
            "evaluate.tasks": ["sid"],
        },
    ).config
    assert [" ".join(line.split()) for line in preview(config)] == [
        "finetune 300 updates of at most 24 s, 2 h of audio in all; the encoder is frozen in the first 30 → "
        f"{config.run_dir}",
        "1.9 GB of disk",
        "at HuBERT base's size some 1.4 h on one CPU core, a small part of that on a GPU",
        "merge linear, alpha 0, 0.25, 0.5, 0.75, 1: 5 checkpoints of the base's size, 1.9 GB of disk → "
        f"{config.merge_dir}",
        f"evaluate sid → {config.evaluate_dir}",
    ]


def test_the_preview_counts_every_batch_of_an_update_and_every_way_of_a_merge() -> None:
    flags = {
        "encoder.init": "random",
        "encoder.size": "base",
        "finetune.steps": 300,
        "finetune.batch_seconds": 24,
        "finetune.batches_per_update": 5,
        "finetune.gpus": 2,
        "merge.method": ["linear", "ties"],
        "merge.weights": [[1, 0], [0.5, 0.5], [0, 1]],
        "merge.alphas": "0:1:0.25",
    }
    lines = " ".join(" ".join(preview(load_config(None, flags=flags).config)).split())
    assert "300 updates of at most 240 s, 20 h of audio in all" in lines
    assert "30 checkpoints of the base's size, 11 GB of disk" in lines  # 30 · 379 MB


def test_the_preview_says_what_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    flags = {
        "finetune.data": "data",
        "merge.base": "hubert-small",
        "merge.tuned": ["run"],
        "evaluate.tasks": ["sid"],
        "evaluate.models": {"base": "hubert-small", "other": "~/gone.pt"},
    }
    last = list(preview(load_config(None, flags=flags, here=tmp_path).config))[-1]
    assert last == f"not there yet: {tmp_path / 'run'}, {Path.home() / 'gone.pt'}"


def test_the_preview_of_the_papers_updates_has_no_exponents() -> None:
    flags = {"encoder.init": "random", "encoder.size": "base", "finetune.steps": 50_000, "finetune.batch_seconds": 240}
    lines = " ".join(" ".join(preview(load_config(None, flags=flags).config)).split())
    # 50000 · 240 s = 3333 h; a tenth at 2.69 and the rest at 1.35 s of audio a second is 2346 h
    assert "3330 h of audio in all" in lines
    assert "some 2300 h on one CPU core" in lines


@pytest.mark.parametrize("name", template_names())
def test_a_template_is_written_as_it_is(speechft, tmp_path: Path, name: str) -> None:
    result = speechft("init", "--template", name, "-o", "mine.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"template {name} written → mine.yaml; next: speechft config show -c mine.yaml\n"
    written = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    assert written == HEADER + template_path(name).read_text(encoding="utf-8")


def test_a_template_takes_no_answers(speechft, tmp_path: Path) -> None:
    result = speechft("init", "--template", "asr", "--set", "seed=2")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "error: --template: must be given without --kind, --defaults, --answers, --from and --set"
    )
    assert speechft("init", "--template", "asrr").exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answered", [0, 7])
def test_ctrl_c_leaves_nothing(terminal: list[Terminal], tmp_path: Path, answered: int) -> None:
    wizard = _open(terminal, "--kind", "merge")
    prompts = [question.prompt for question in QUESTIONS if Kind.merge in question.kinds]
    for prompt in prompts[:answered]:
        wizard.answer(prompt)
    wizard.child.expect_exact([*prompts, "Write speechft.yaml?"][answered])
    wizard.child.sendcontrol("c")
    wizard.child.expect_exact("interrupted")
    assert wizard.end() == 130
    assert list(tmp_path.iterdir()) == []


def test_no_to_the_preview_writes_nothing(terminal: list[Terminal], tmp_path: Path) -> None:
    wizard = _open(terminal, "--kind", "merge")
    for question in QUESTIONS:
        if Kind.merge in question.kinds:
            wizard.answer(question.prompt)
    wizard.child.expect_exact("Write speechft.yaml?")
    wizard.child.send("n")
    wizard.child.expect_exact("speechft.yaml: not written, as you wished")
    assert wizard.end() == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--set", "seed=3"], ["--json"]])
def test_without_a_terminal_it_ends_at_once(speechft, tmp_path: Path, arguments: list[str]) -> None:
    result = speechft("init", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: init: must have a terminal to ask its questions on, got none\n"
        "hint: speechft init --defaults, --answers FILE, or --template NAME\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_defaults_write_a_file_that_loads_back(speechft, tmp_path: Path, kind: Kind) -> None:
    result = speechft("init", "--kind", kind.value, "--defaults")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{kind.value} config written → speechft.yaml; next: speechft ")
    loaded = load_config(tmp_path / "speechft.yaml", check=unknown_names)
    sections = {name for name in ("prepare", "finetune", "merge", "evaluate") if getattr(loaded.config, name)}
    assert sections == SECTIONS.get(kind, {kind.value})


def test_every_key_is_explained_above_it(speechft, tmp_path: Path) -> None:
    speechft("init", "--defaults")
    lines = (tmp_path / "speechft.yaml").read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    assert keys
    assert all(lines[number - 1].lstrip().startswith("#") for number in keys)
    assert max(map(len, lines)) <= 90


def test_set_beats_answers_beats_defaults(speechft, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "finetune.steps: 10\nfinetune: {log_every: 5}\nencoder.init: null\nseed: 1\n", encoding="utf-8"
    )
    result = speechft("init", "--answers", "a.yaml", "--set", "seed=2", "--set", "name='1e-4'", "--json")
    assert json.loads(result.stdout) == {"output": f"{tmp_path}/speechft.yaml", "kind": "experiment"}
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.encoder is not None
    assert config.finetune is not None
    assert (config.name, config.seed, config.finetune.steps, config.finetune.log_every) == ("1e-4", 2, 10, 5)
    assert config.encoder.checkpoint == Path("hubert-small")


def test_every_wrong_answer_is_told_with_its_place(speechft, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\nfinetune.steps: -1\nsede: 3\n", encoding="utf-8")
    result = speechft("init", "--answers", "a.yaml", "--set", "merge.alphas=x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: a.yaml:2: finetune.steps: must be greater than 0, got -1\n"
        "error: --set: merge.alphas: must be a number or START:STOP:STEP, got 'x'\n"
        "error: a.yaml:3: sede: unknown key; did you mean 'seed'?\n"
        "hint: speechft config schema shows every key\n"
    )
    assert not (tmp_path / "speechft.yaml").exists()


def test_a_name_in_no_catalogue_is_refused(speechft, tmp_path: Path) -> None:
    result = speechft("init", "--defaults", "--set", "finetune.task=asrr")
    assert result.exit_code == 2
    names = ", ".join(sorted(TASKS))
    assert result.stderr == (
        f"error: --set: finetune.task: must be one of {names}, got 'asrr'; did you mean 'asr'?\n"
        "hint: speechft config schema shows every key\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_overwritten_only_by_force(speechft, tmp_path: Path) -> None:
    (tmp_path / "speechft.yaml").write_text("mine", encoding="utf-8")
    result = speechft("init", "--defaults")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: speechft.yaml: must not exist, but does\nhint: --force overwrites it, -o writes another file\n"
    )
    assert (tmp_path / "speechft.yaml").read_text(encoding="utf-8") == "mine"
    assert speechft("init", "--defaults", "--force").exit_code == 0
    assert load_config(tmp_path / "speechft.yaml").config.seed == 1337


def test_a_folder_is_no_file_to_write_whatever_is_forced(speechft, tmp_path: Path) -> None:
    (tmp_path / "my runs").mkdir()
    for force in ([], ["--force"]):
        result = speechft("init", "--defaults", "-o", "my runs", *force)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "error: my runs: must be a file, is a folder\nhint: -o 'my runs/speechft.yaml'\n"


def test_every_question_has_a_default_a_reason_and_a_key_of_the_file() -> None:
    for question in QUESTIONS:
        assert question.default
        assert question.why.endswith(".")
        assert len(question.why) <= 80
        load_config(None, flags={question.key: question.read(question.default)})
        choices = question.choices({"prepare.root": "corpus"})
        assert not choices or set(question.default.split(",")) <= set(choices)
