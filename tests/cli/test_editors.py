"""What an editor is told: it must accept what the loader accepts, and refuse a slip."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from speechft_cli.cli.editors import HEADER, SCHEMA_FILE, config_schema, write_config
from speechft_cli.config.source import YamlLoader
from speechft_cli.config.templates import template_names, template_path
from speechft_cli.errors import RequestError


def _complaints(text: str) -> list[str]:
    found = Draft202012Validator(config_schema()).iter_errors(yaml.load(text, YamlLoader))
    return [error.json_path for error in found]


@pytest.mark.parametrize("name", template_names())
def test_an_editor_has_nothing_against_a_template(name: str) -> None:
    assert _complaints(template_path(name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "merge: {alpha: 0.25}",
        "merge: {alphas: 0:1:0.05}",
        "merge: {alphas: [0, 0.5]}",
        "merge: {method: linear}",
        "merge: {method: [linear, ties], formats: hf}",
        "merge: {filters: [{match: attention, scale: 0.5}, {match: layers 0-3, alpha: [0, 1]}]}",
        "finetune: {tasks: {asr: 2, sid: 1}}",
        "finetune: {steps: 1e5, learning_rate: 1}",
        "encoder: {family: hubert}",
        "encoder: {family: null}",
    ],
)
def test_an_editor_has_nothing_against_what_the_loader_reads(text: str) -> None:
    assert _complaints(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "finetune: {task: asrr}",
        "finetune: {tasks: {asrr: 1}}",
        "evaluate: {tasks: [sidd]}",
        "evaluate: {folds: {sidd: session}}",
        "mergee: {}",
        'seed: "1"',
        "seed: true",
        "finetune: {steps: 0}",
        "finetune: {compile: yes}",
    ],
)
def test_an_editor_marks_a_slip(text: str) -> None:
    assert _complaints(text) != []


def test_the_schema_lies_where_the_first_line_says(tmp_path: Path) -> None:
    write_config(tmp_path / "a" / "mine.yaml", "seed: 1\n")
    write_config(tmp_path / "a" / "other.yaml", "seed: 2\n")
    assert (tmp_path / "a" / "mine.yaml").read_text(encoding="utf-8") == f"{HEADER}seed: 1\n"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["mine.yaml", "other.yaml", SCHEMA_FILE]


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / SCHEMA_FILE).write_text("mine", encoding="utf-8")
    with pytest.raises(RequestError, match=r"speechft\.schema\.json: must be the schema that speechft writes"):
        write_config(tmp_path / "mine.yaml", "")
    assert not (tmp_path / "mine.yaml").exists()
