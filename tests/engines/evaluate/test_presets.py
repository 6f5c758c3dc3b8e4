"""Presets, other labels and beam search, through the whole evaluation of a tiny encoder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.engines import evaluate
from speechft_cli.errors import RequestError
from speechft_cli.events import Event, Note, Table, ignore
from speechft_cli.reporting.scores import read_scores
from tests.conftest import make_config
from tests.manifest_files import write_manifest


def config(folder: Path, encoder: Path, data: Path, **changed: object) -> Config:
    flags = {
        "output_dir": folder,
        "evaluate__models": {"base": encoder},
        "evaluate__data": data,
        "evaluate__device": "cpu",
        "evaluate__extend_learning_rates": 0,
        "evaluate__seeds": 1,
        "evaluate__drift_seconds": 0,
        **changed,
    }
    return make_config(**flags)


@pytest.fixture
def labelled(tmp_path: Path, manifests: Path) -> Path:
    """The same recordings with their word as a label that no task is called after."""
    for split in ("train", "dev", "test"):
        utterances = [
            replace(each, text=f"{each.text} TWO", labels={"label": each.text or ""})
            for each in read_manifest(manifests, split)
        ]
        write_manifest(tmp_path / "labelled", split, utterances)
    return tmp_path / "labelled"


def test_a_preset_is_named_beside_every_figure(tmp_path: Path, tiny_file: Path, manifests: Path) -> None:
    events: list[Event] = []
    done = config(tmp_path, tiny_file, manifests, evaluate__tasks=["sid"], evaluate__preset="quick")
    result = evaluate.run(done, events.append)

    (note,) = [event.text for event in events if isinstance(event, Note) and "preset" in event.text]
    assert note.startswith("preset quick: At most 500 utterances of train")
    titles = [event.title for event in events if isinstance(event, Table)]
    assert titles
    assert all(title.endswith(", preset quick") for title in titles)
    assert "preset quick" in result.summary
    report = (tmp_path / "evaluate" / "report.md").read_text()
    assert "**Preset quick, not SUPERB's full protocol" in report
    assert "Preset quick: At most 500" in report
    scores = read_scores(tmp_path / "evaluate" / "scores.jsonl")
    assert {(score.preset, score.settings["steps"], score.settings["batch_size"]) for score in scores} == {
        ("quick", 200, 32)
    }


def test_what_the_config_says_comes_before_the_preset(tmp_path: Path, tiny_file: Path, manifests: Path) -> None:
    changed = {"evaluate__preset": "superb", "evaluate__steps": {"sid": 3}, "evaluate__learning_rates": {"sid": [0.01]}}
    evaluate.run(config(tmp_path, tiny_file, manifests, evaluate__tasks=["sid"], **changed), ignore)

    settings = read_scores(tmp_path / "evaluate" / "scores.jsonl")[0].settings
    assert (settings["preset"], settings["steps"], settings["learning_rates"]) == ("superb", 3, [0.01])


def test_a_tasks_label_may_have_another_name(tmp_path: Path, tiny_file: Path, labelled: Path) -> None:
    common = {"evaluate__tasks": ["ks"], "evaluate__steps": {"ks": 3}}
    with pytest.raises(RequestError, match="task ks: must have utterances with 'keyword'"):
        evaluate.run(config(tmp_path, tiny_file, labelled, **common), ignore)

    evaluate.run(config(tmp_path, tiny_file, labelled, evaluate__labels={"ks": "label"}, **common), ignore)

    assert {score.task for score in read_scores(tmp_path / "evaluate" / "scores.jsonl")} == {"ks"}


def test_with_an_n_gram_test_is_read_by_beam_search_and_dev_is_not(
    tmp_path: Path, tiny_file: Path, labelled: Path
) -> None:
    pytest.importorskip("flashlight.lib.text")
    arpa = tmp_path / "one.arpa"
    unigrams = "-1\t<unk>\n-99\t<s>\t0\n-0.3\t</s>\n-0.3\tTWO\t0\n"
    bigrams = "-0.1\t<s> TWO\n-0.1\tTWO </s>\n"
    arpa.write_text(f"\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n{unigrams}\n\\2-grams:\n{bigrams}\n\\end\\\n")
    common = {"evaluate__tasks": ["asr"], "evaluate__steps": {"asr": 2}, "evaluate__word_score": 50.0}
    evaluate.run(config(tmp_path, tiny_file, labelled, evaluate__language_model=arpa, **common), ignore)

    (path,) = (tmp_path / "evaluate" / "predictions").iterdir()
    words = {word for line in path.read_text().splitlines() for word in json.loads(line)["predictions"][0].split()}
    assert words == {"TWO"}  # the only word there is, wanted more than any letter speaks against it
    scores = {(each.split, each.metric): each for each in read_scores(tmp_path / "evaluate" / "scores.jsonl")}
    way = "beam search, 50 hypotheses, threshold 25, language weight 2, word score 50, n-gram SHA-256 "
    assert str(scores["test", "wer"].settings["reading"]).startswith(way)
    report = (tmp_path / "evaluate" / "report.md").read_text()
    assert "Test of asr is read by beam search" in report


def test_an_n_gram_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, tiny_file: Path, labelled: Path
) -> None:
    pytest.importorskip("flashlight.lib.text")
    wrong = tmp_path / "wrong.arpa"
    wrong.write_text("no n-gram\n")

    with pytest.raises(RequestError, match=r"wrong\.arpa: must be an n-gram in ARPA format"):
        evaluate.run(
            config(tmp_path, tiny_file, labelled, evaluate__tasks=["asr"], evaluate__language_model=wrong), ignore
        )
    assert not (tmp_path / "evaluate").exists()
