"""`speechft config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.config.load import load_config
from speechft_cli.tasks import TASKS

FILE = "name: mine\nmerge:\n  tuned: [t.pt]\n  alphas: 0:0.3:0.1\nevaluate:\n  models:\n    alpha-0.1: a.pt\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.usefixtures("file")
def test_show_says_where_every_value_comes_from(speechft, tmp_path: Path) -> None:
    result = speechft("config", "show", "-c", "c.yaml", "--set", "evaluate.tasks=[pr]")
    assert (result.exit_code, result.stderr) == (0, "")
    merge, _, evaluate = result.stdout.partition("evaluate:\n")
    assert merge == (
        "name: mine  # c.yaml:1\n"
        "seed: 1337  # default\n"
        f"output_dir: {tmp_path}/runs/mine  # default\n"
        "merge:\n"
        "  base: null  # default\n"
        f"  tuned: [{tmp_path}/t.pt]  # c.yaml:3\n"
        "  method: linear  # default\n"
        "  parameters: {}  # default\n"
        "  weights: []  # default\n"
        "  greedy: null  # default\n"
        "  data: []  # default\n"
        "  statistics:  # default\n"
        "    split: train\n"
        "    utterances: 1000\n"
        "    device: auto\n"
        "  filters: []  # default\n"
        "  weight_norm: stored  # default\n"
        "  alpha: null  # default\n"
        "  alphas: [0, 0.1, 0.2, 0.3]  # c.yaml:4\n"
        "  out: null  # default\n"
        "  formats: [s3prl]  # default\n"
        "  file_name: encoder.pt  # default\n"
        '  license: ""  # default\n'
        "  allow_unrelated: false  # default\n"
    )
    said = ["  models:  # c.yaml:6", f"    alpha-0.1: {tmp_path}/a.pt  # c.yaml:7", "  tasks: [pr]  # --set"]
    assert [line for line in evaluate.splitlines() if not line.endswith("  # default")] == said


def test_what_show_prints_is_the_same_config(speechft, file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(speechft("config", "show", "-c", file).stdout, encoding="utf-8")
    assert load_config(again).config == load_config(file).config


def test_a_section_set_whole_has_one_origin(speechft) -> None:
    lines = speechft("config", "show", "--set", "merge={method: linear}").stdout.splitlines()
    assert "  method: linear  # --set" in lines
    assert "  base: null  # default" in lines


def test_show_prints_json(speechft, file: Path) -> None:
    shown = json.loads(speechft("config", "show", "-c", file, "--json").stdout)
    assert shown["config"]["name"] == "mine"
    assert shown["origins"]["merge.alphas"] == f"{file}:4"


def test_a_valid_config_is_ok(speechft, file: Path) -> None:
    assert speechft("config", "validate", "-c", file).stdout == "ok\n"
    assert json.loads(speechft("config", "validate", "-c", file, "--json").stdout) == {"valid": True, "problems": []}


def test_validate_tells_every_problem(speechft, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("seeed: 1\nmerge:\n  alpha: x\n", encoding="utf-8")
    result = speechft("config", "validate", "-c", "bad.yaml", "--json")
    problems = [
        "bad.yaml:1: seeed: unknown key; did you mean 'seed'?",
        "bad.yaml:3: merge.alpha: must be a number or START:STOP:STEP, got 'x'",
    ]
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"valid": False, "problems": problems}
    assert result.stderr == (
        f"error: {problems[0]}\nerror: {problems[1]}\nhint: speechft config schema shows every key\n"
    )


def test_validate_knows_the_names_of_the_catalogues(speechft, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("finetune: {task: asrr}\nevaluate: {tasks: [pr, sidd]}\n", encoding="utf-8")
    result = speechft("config", "validate", "-c", "bad.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    known = ", ".join(sorted(TASKS))
    assert result.stderr == (
        f"error: bad.yaml:1: finetune.task: must be one of {known}, got 'asrr'; did you mean 'asr'?\n"
        f"error: bad.yaml:2: evaluate.tasks: must be one of {known}, got 'sidd'; did you mean 'sid'?\n"
        "hint: speechft list shows every name\n"
    )


def test_validate_knows_every_key_that_names_tasks(speechft, tmp_path: Path) -> None:
    lines = ["merge:", "  greedy: sidd", "evaluate:", "  labels: {sidd: speaker}", "  folds: {sidd: session}"]
    lines += ["  steps: {sidd: 5}", "  learning_rates: {sidd: [0.1]}"]
    (tmp_path / "bad.yaml").write_text("\n".join(lines), encoding="utf-8")
    problems = json.loads(speechft("config", "validate", "-c", "bad.yaml", "--json").stdout)["problems"]
    keys = ["2: merge.greedy", "4: evaluate.labels", "5: evaluate.folds", "6: evaluate.steps"]
    keys.append("7: evaluate.learning_rates")
    assert [problem.partition(": must")[0] for problem in problems] == [f"bad.yaml:{key}" for key in keys]


def test_wrong_sets_keys_and_names_are_told_at_once_in_the_order_of_the_lines(speechft, tmp_path: Path) -> None:
    lines = ["encoder: {family: huber}", *"#" * 8, "merge: {method: linaer, alpa: 1}", "seed: none"]
    (tmp_path / "bad.yaml").write_text("\n".join(lines), encoding="utf-8")
    result = speechft("config", "validate", "-c", "bad.yaml", "--set", "steps", "--json")
    assert [problem.partition(": must")[0] for problem in json.loads(result.stdout)["problems"]] == [
        "--set",
        "bad.yaml:1: encoder.family",
        "bad.yaml:10: merge.alpa: unknown key; did you mean 'alpha'?",
        "bad.yaml:10: merge.method",
        "bad.yaml:11: seed",
    ]
    assert result.stderr.endswith("hint: speechft config schema shows every key; speechft list shows every name\n")


def test_the_schema_describes_every_section(speechft) -> None:
    schema = json.loads(speechft("config", "schema").stdout)
    assert schema["additionalProperties"] is False
    assert {"encoder", "prepare", "finetune", "merge", "evaluate", "name", "seed"} <= set(schema["properties"])
    assert "description" in schema["$defs"]["FinetuneSection"]["properties"]["frozen_share"]
    assert schema["$defs"]["FinetuneSection"]["properties"]["task"]["enum"] == list(TASKS)


def test_the_schema_is_written_into_a_file(speechft, tmp_path: Path) -> None:
    result = speechft("config", "schema", "-o", "s.json")
    assert result.exit_code == 0
    assert result.stdout == ("schema written → s.json; a YAML file names it: # yaml-language-server: $schema=s.json\n")
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == speechft("config", "schema").stdout
