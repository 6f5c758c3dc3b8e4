"""`speechft list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from speechft_cli.cli.app import app
from speechft_cli.cli.names import registry
from speechft_cli.config.templates import template_path
from speechft_cli.tasks import TASKS


def test_a_group_is_a_name_a_line_and_a_source_each(speechft) -> None:
    result = speechft("list", "tasks")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "tasks"
    assert lines[1] == f"  {'asr':<14}{TASKS.entry('asr').summary}"
    assert lines[2].strip() == TASKS.entry("asr").source
    assert len(lines) == 1 + 2 * len(TASKS)
    assert max(map(len, lines)) <= 80


def test_without_a_group_everything_is_listed(speechft) -> None:
    lines = speechft("list").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "encoders",
        "checkpoints",
        "formats",
        "tasks",
        "presets",
        "strategies",
        "corpora",
        "methods",
        "scores",
        "templates",
    ]


def test_the_list_is_json(speechft) -> None:
    listed = json.loads(speechft("list", "--json").stdout)
    assert listed["tasks"]["asr"] == {"summary": TASKS.entry("asr").summary, "source": TASKS.entry("asr").source}
    assert "demo" in listed["templates"]


def test_one_name_says_what_it_is_and_gives_an_example(speechft) -> None:
    result = speechft("list", "tasks", "asr")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"asr: {TASKS.entry('asr').summary}"
    assert "  field of the manifest: text" in lines
    assert "  scored by: WER, CER" in lines
    assert "--task asr" in result.stdout.partition("for example: ")[2]


def test_a_corpus_says_how_it_comes_to_a_disk(speechft) -> None:
    for name, line in (
        ("an4", "  download: --download fetches it into the folder of --root"),
        ("iemocap", "  download: by hand, from https://sail.usc.edu/iemocap/"),
        ("librispeech", "  download: --download fetches into the folder of --root the parts that --splits"),
    ):
        assert line in speechft("list", "corpora", name).stdout.splitlines()
    assert "download" not in speechft("list", "corpora", "folder").stdout


@pytest.mark.parametrize("group", ["encoders", "tasks", "strategies", "corpora", "methods", "scores"])
def test_every_name_of_every_catalogue_can_be_shown(speechft, group: str) -> None:
    for name in registry(group):
        shown = json.loads(speechft("list", group, name, "--json").stdout)
        assert (shown["name"], shown["summary"]) == (name, registry(group).entry(name).summary)
        assert shown["text"]
        assert f"{name}" in shown["example"]


def test_a_preset_has_a_plan_for_each_task_that_is_probed_and_no_other(speechft) -> None:
    facts = json.loads(speechft("list", "presets", "default", "--json").stdout)["facts"]
    assert set(facts) >= {"asr", "qbe", "sid"}
    assert "hubert" not in facts


def test_a_list_of_recordings_is_a_file(speechft) -> None:
    assert "--root LIST.jsonl" in json.loads(speechft("list", "corpora", "manifest", "--json").stdout)["example"]


@pytest.mark.parametrize(
    ("method", "models"),
    [
        ("linear", "--tuned TUNED --method linear"),
        ("model_stock", "--tuned TUNED1 --tuned TUNED2 --method model_stock"),
        ("regmean", "--tuned TUNED1 --tuned TUNED2 --data data --method regmean"),
        ("fisher", "--tuned RUN1 --tuned RUN2 --method fisher"),
    ],
)
def test_the_example_of_a_method_names_the_models_that_it_needs(speechft, method: str, models: str) -> None:
    assert models in json.loads(speechft("list", "methods", method, "--json").stdout)["example"]


def test_a_named_checkpoint_says_where_it_comes_from_and_whether_it_is_here(
    speechft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHFT_CACHE", str(tmp_path))
    listed = json.loads(speechft("list", "checkpoints", "--json").stdout)["checkpoints"]
    assert listed["hubert-base"]["source"] == "huggingface.co/s3prl/converted_ckpts"
    assert {"logmel", "fbank", "hf:ORG/NAME[@REVISION]", "random:FAMILY-SIZE[@SEED]"} < set(listed)
    shown = json.loads(speechft("list", "checkpoints", "hubert-base", "--json").stdout)
    assert shown["source"].endswith("/s3prl/converted_ckpts/resolve/main/hubert_base_ls960.pt")
    assert shown["facts"] == {
        "family": "hubert",
        "licence": "MIT (fairseq)",
        "file": f"not here yet; the first use fetches it to {tmp_path / 'encoders' / 'hubert-base'}",
    }
    assert "--encoder hubert-base" in shown["example"]
    result = speechft("list", "checkpoints", "hubert-bass")
    assert result.exit_code == 2
    assert "did you mean 'hubert-base'?" in result.stderr


def test_whatever_is_listed_has_all_there_is_of_it(speechft) -> None:
    for group, names in json.loads(speechft("list", "--json").stdout).items():
        for name, said in names.items():
            shown = json.loads(speechft("list", group, name, "--json").stdout)
            assert shown["name"] == name
            assert group == "templates" or shown["summary"] in said["summary"]


def test_a_template_is_shown_as_it_is(speechft) -> None:
    assert speechft("list", "templates", "demo").stdout == template_path("demo").read_text(encoding="utf-8")


def test_an_unknown_name_is_answered_with_the_nearest(speechft) -> None:
    result = speechft("list", "methods", "linaer")
    assert result.exit_code == 2
    assert "did you mean 'linear'?" in result.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("prepare libri", ["librispeech"]),
        ("finetune --task as", ["asr", "asv"]),
        ("finetune --encoder hubert-s", ["hubert-small"]),
        ("finetune --device a", ["auto"]),
        ("merge --base hubert-s", ["hubert-small"]),
        ("merge --tuned hubert-s", ["hubert-small"]),
        ("merge --alphas 0:1:0.0", ["0:1:0.05"]),
        ("merge --filter att", ["attention="]),
        ("evaluate --method dare", ["dare_linear", "dare_ties"]),
        ("evaluate --score sup", ["superb_leaderboard"]),
        ("evaluate --model base=hubert-s", ["base=hubert-small"]),
        ("evaluate --label k", ["ks="]),
        ("convert hubert-s", ["hubert-small"]),
        ("convert --format s", ["s3prl", "safetensors"]),
        ("extract logm", ["logmel"]),
        ("init --template dem", ["demo"]),
        ("list methods kar", ["karcher"]),
        ("list templates dem", ["demo"]),
        ("list checkpoints hubert-s", ["hubert-small"]),
        ("list scores sup", ["superb_leaderboard"]),
    ],
)
def test_the_shell_is_told_the_names_that_go_on_from_what_is_typed(typed: str, offered: list[str]) -> None:
    words = f"speechft {typed}"
    asked = {"_SPEECHFT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(typed.count(" ") + 1)}
    found = CliRunner().invoke(app, [], prog_name="speechft", env=asked).stdout.split()
    assert set(offered) <= set(found)
    assert all(each.startswith(words.split()[-1]) for each in found)
