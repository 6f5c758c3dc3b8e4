"""The whole job typed by hand: prepare, finetune, merge, evaluate with flags alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.cli.commands.evaluate import label_models
from speechft_cli.cli.commands.prepare import parse_splits
from speechft_cli.errors import RequestError
from tests.data.corpora.replicas import voxceleb1


def test_splits_are_parts_joined_by_plus() -> None:
    assert parse_splits("train=a+b,dev=c") == {"train": ["a", "b"], "dev": ["c"]}


@pytest.mark.parametrize("text", ["train", "=a", "train=", "train=a+", "train=a,,dev=b", "train=a,train=b"])
def test_anything_else_is_no_split(text: str) -> None:
    with pytest.raises(RequestError, match="--splits: must"):
        parse_splits(text)


def test_a_model_is_labelled_by_what_tells_it_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "merge" / "alpha-0.5").mkdir(parents=True)
    assert label_models(
        ["base=hubert.pt", "wavlm.base.pt", "merge/alpha-0.25/encoder.pt", "merge/alpha-0.5", "runs/lr=1/x.ckpt"]
    ) == {
        "base": Path("hubert.pt"),
        "wavlm.base": Path("wavlm.base.pt"),
        "alpha-0.25": Path("merge/alpha-0.25/encoder.pt"),
        "alpha-0.5": Path("merge/alpha-0.5"),
        "x": Path("runs/lr=1/x.ckpt"),
    }


@pytest.mark.parametrize("models", [["a=1.pt", "a=2.pt"], ["x/a.pt", "y/a.pt"], ["a="], ["=a"]])
def test_labels_must_differ_and_paths_must_be_given(models: list[str]) -> None:
    with pytest.raises(RequestError, match="--model: must"):
        label_models(models)


def test_a_flag_takes_the_place_of_the_key_it_excludes(speechft, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "encoder: {checkpoint: none.pt}\nmerge: {base: none.pt, tuned: [none.pt], alphas: 0:1:1}\n", encoding="utf-8"
    )
    merged = speechft("merge", "-c", "c.yaml", "--alpha", "0.5")
    tuned = speechft("finetune", "-c", "c.yaml", "--init", "random", "--data", "none")
    assert "both" not in merged.stderr + tuned.stderr
    assert (merged.exit_code, tuned.exit_code) == (2, 2)
    assert "none.pt" in merged.stderr
    assert "none.pt" not in tuned.stderr


def test_the_whole_job_can_be_typed(speechft, tmp_path: Path) -> None:
    def done(*arguments: str) -> dict[str, object]:
        result = speechft(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        document = json.loads(result.stdout)
        assert isinstance(document, dict)
        return document

    assert done("prepare", "synthetic", "--out", "data", "--hours", "0.005")["output"] == str(tmp_path / "data")
    sets = ["--set", "finetune.workers=0", "--set", "finetune.batch_seconds=10"]
    tune = ["finetune", "--data", "data", "--init", "random", "--size", "tiny", "--steps", "2", "--out", "run"]
    plan = done(*tune, *sets, "--dry-run")["plan"]
    assert isinstance(plan, dict)
    assert (plan["steps"], [each["task"] for each in plan["tasks"]], (tmp_path / "run").exists()) == (2, ["asr"], False)
    done(*tune, *sets)
    done("merge", "--base", "run/base/encoder.pt", "--tuned", "run", "--alphas", "0:1:1", "--out", "merge")
    probes = ["--set", "evaluate.steps={sid: 2}", "--set", "evaluate.learning_rates={sid: [1e-2]}"]
    models = ["--model", "run/base/encoder.pt", "--model", "merge/alpha-0"]
    scored = done(
        "evaluate", *models, "--task", "sid", "--data", "data", "--out", "scores", "--crop-seconds", "1", *probes
    )
    assert Path(str(scored["output"])).exists()


def test_after_prepare_a_file_is_gone_on_with_when_it_says_how_to_finetune(speechft, tmp_path: Path) -> None:
    voxceleb1(tmp_path)
    for section, following in (
        ("", "finetune --encoder hubert-small --data data --task sid --out run"),
        ("finetune: {task: sid}\n", "finetune -c speechft.yaml"),
    ):
        (tmp_path / "speechft.yaml").write_text(f"prepare: {{corpus: voxceleb1, root: ., out: data}}\n{section}")
        result = speechft("prepare", "-c", "speechft.yaml")
        assert result.stdout.endswith(f"next: speechft {following}\n")
