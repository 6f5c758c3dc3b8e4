"""Cross-validation through the whole evaluation of a tiny encoder: each session is tested on once."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.engines import evaluate
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Event, Note, ignore
from speechft_cli.reporting.scores import read_scores
from tests.conftest import make_config
from tests.manifest_files import write_manifest

SESSIONS = ("01", "02", "03")


@pytest.fixture(scope="module")
def emotions(manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pitches as emotions, over three sessions; some emotions of session 3 are wrong, so that folds differ."""
    folder = tmp_path_factory.mktemp("emotions")
    for split in ("train", "dev", "test"):
        utterances = []
        for number, each in enumerate(read_manifest(manifests, split)):
            session = SESSIONS[number % 3]
            is_high = (each.speaker == "speaker1") != (session == "03" and number % 4 == 1)
            labels = {"emotion": "anger" if is_high else "neutral", "session": session}
            utterances.append(replace(each, labels=labels))
        write_manifest(folder, split, utterances)
    return folder


def config(out: Path, encoder: Path, data: Path, **changed: object) -> Config:
    settings: dict[str, object] = {
        "evaluate__out": out,
        "evaluate__models": {"base": encoder},
        "evaluate__data": data,
        "evaluate__tasks": ["er"],
        "evaluate__steps": {"er": 20},
        "evaluate__learning_rates": {"er": [0.01]},
        "evaluate__seeds": 2,
        "evaluate__drift_seconds": 0,
        "evaluate__device": "cpu",
    }
    return make_config(**(settings | changed))


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def test_the_score_is_the_mean_over_sessions_each_tested_once(emotions: Path, tiny_file: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    asked = config(tmp_path, tiny_file, emotions, evaluate__folds={"er": "session"})
    evaluate.run(asked, events.append)

    dev, test = read_scores(tmp_path / "scores.jsonl")
    (file,) = (tmp_path / "predictions").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    utterances = {each.id: each for split in ("train", "dev", "test") for each in read_manifest(emotions, split)}
    assert sorted(line["id"] for line in lines) == sorted(utterances)
    hits = defaultdict(list)
    for line in lines:
        truth = utterances[line["id"]].labels
        assert line["fold"] == truth["session"]
        hits[line["fold"]].append([guess == truth["emotion"] for guess in line["predictions"]])
    assert tuple(hits) == SESSIONS
    by_fold = {name: [100 * sum(seed) / len(each) for seed in zip(*each, strict=True)] for name, each in hits.items()}
    assert tuple(fold.name for fold in test.folds) == SESSIONS
    for fold in test.folds:
        assert list(fold.values) == pytest.approx(by_fold[fold.name])
    means = [sum(seed) / 3 for seed in zip(*by_fold.values(), strict=True)]
    assert test.values == pytest.approx(means)
    assert test.value == pytest.approx(sum(means) / 2)
    assert by_fold["01"] != by_fold["03"]
    assert (test.utterances, test.learning_rate, test.settings["folds"]) == (20, None, "session")
    assert [fold.learning_rate for fold in dev.folds] == [0.01] * 3

    said = notes(events)
    assert "er: mean over 3 folds by session: 01, 02, 03" in said
    (outcome,) = [text for text in said if text.startswith("base: ER acc dev")]
    assert f"mean of 3 folds (fold 01: {test.folds[0].value:.2f} %, learning rate 0.01; fold 02" in outcome
    report = (tmp_path / "report.md").read_text()
    assert "er is the mean of the 3 folds below, each of which is tested on once." in report
    assert "| encoder | fold 01 | fold 02 | fold 03 | mean |" in report
    assert f"| {test.folds[2].value:.2f} | {test.value:.2f} |" in report

    again: list[Event] = []
    evaluate.run(asked, again.append)
    assert any("1 of 1 pairs of encoder and task are taken from" in text for text in notes(again))
    evaluate.run(config(tmp_path, tiny_file, emotions), ignore)
    assert [score.folds for score in read_scores(tmp_path / "scores.jsonl")] == [(), ()]


def test_superbs_preset_takes_the_sessions_as_folds_where_there_are_any(
    emotions: Path, manifests: Path, tiny_file: Path, tmp_path: Path
) -> None:
    quick: dict[str, object] = {"evaluate__preset": "superb", "evaluate__steps": {"er": 1}, "evaluate__seeds": 1}
    evaluate.run(config(tmp_path / "folds", tiny_file, emotions, **quick), ignore)
    assert [fold.name for fold in read_scores(tmp_path / "folds" / "scores.jsonl")[1].folds] == list(SESSIONS)

    events: list[Event] = []
    quick["evaluate__labels"] = {"er": "speaker"}
    evaluate.run(config(tmp_path / "one", tiny_file, manifests, **quick), events.append)
    assert read_scores(tmp_path / "one" / "scores.jsonl")[1].folds == ()
    assert any(
        "these manifests have no two values of session, so one split is scored" in text for text in notes(events)
    )

    quick["evaluate__folds"] = {"er": None}
    evaluate.run(config(tmp_path / "off", tiny_file, emotions, **quick), ignore)
    assert read_scores(tmp_path / "off" / "scores.jsonl")[1].folds == ()


def test_an_encoder_that_was_tuned_on_what_folds_test_on_is_told(
    emotions: Path, tiny_file: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    asked = {"evaluate__folds": {"er": "session"}, "evaluate__target": ["er"], "evaluate__seeds": 1}
    evaluate.run(config(tmp_path, tiny_file, emotions, **asked), events.append)
    assert any(
        "er: 12 of the utterances that its folds test on are in the manifests' train" in t for t in notes(events)
    )


def test_folds_that_are_not_there_are_refused(emotions: Path, tiny_file: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"evaluate\.folds\.er: must be a field with two values or more .* 'room'"):
        evaluate.run(config(tmp_path / "out", tiny_file, emotions, evaluate__folds={"er": "room"}), ignore)
    with pytest.raises(ConfigError, match=r"evaluate\.folds: .*'err'"):
        evaluate.run(config(tmp_path / "out", tiny_file, emotions, evaluate__folds={"err": "session"}), ignore)
    assert not (tmp_path / "out").exists()
