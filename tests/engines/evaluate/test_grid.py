"""Grids of merged encoders that lie in no file."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.engines import evaluate, merge
from speechft_cli.errors import RequestError
from speechft_cli.events import Event, Note, Started, ignore
from speechft_cli.reporting.scores import Score, read_scores
from tests.conftest import make_config


@pytest.fixture
def tuned_file(tiny: EncoderCheckpoint, tmp_path: Path) -> Path:
    """The tiny encoder with every layer norm's scale half as large again."""
    weights = {
        name: tensor * 1.5 if name.endswith("layer_norm.weight") else tensor for name, tensor in tiny.weights.items()
    }
    converted.write(tiny.with_weights(weights), tmp_path / "tuned.pt")
    return tmp_path / "tuned.pt"


def config(out: Path, manifests: Path, **changed: object) -> Config:
    flags = {
        "evaluate__data": manifests,
        "evaluate__out": out,
        "evaluate__tasks": ["sid", "pr"],
        "evaluate__steps": {"sid": 20, "pr": 4},
        "evaluate__seeds": 1,
        "evaluate__device": "cpu",
        "evaluate__extend_learning_rates": 0,
        "evaluate__drift_seconds": 0,
        **changed,
    }
    return make_config(**flags)


def unlabelled(scores: list[Score]) -> list[dict[str, object]]:
    return [asdict(replace(score, label="")) for score in scores]


def test_a_grid_in_memory_scores_as_its_written_checkpoints(
    tiny_file: Path, tuned_file: Path, manifests: Path, tmp_path: Path
) -> None:
    way = {"merge__base": tiny_file, "merge__tuned": [tuned_file], "merge__alphas": "0:1:0.5"}
    events: list[Event] = []
    evaluate.run(config(tmp_path / "memory", manifests, **way, evaluate__interpolate=True), events.append)
    in_memory = read_scores(tmp_path / "memory" / "scores.jsonl")
    assert list(dict.fromkeys(score.label for score in in_memory)) == [
        "base", "tuned", "alpha-0", "alpha-0.5", "alpha-1",
    ]  # fmt: skip
    # alpha 0 is the base and alpha 1 the tuned encoder: three encoders are encoded and probed
    assert [event.what for event in events if isinstance(event, Started) and event.what.endswith("encoding")] == [
        "base: encoding", "tuned: encoding", "alpha-0.5: encoding",
    ]  # fmt: skip
    assert any(isinstance(event, Note) and "linear in memory" in event.text for event in events)

    merge.run(make_config(**way, merge__out=tmp_path / "merged"), ignore)
    assert not list((tmp_path / "memory").rglob("*.pt"))
    models = {f"alpha-{alpha}": tmp_path / "merged" / f"alpha-{alpha}" for alpha in ("0", "0.5", "1")}
    evaluate.run(config(tmp_path / "files", manifests, evaluate__models=models), ignore)
    from_files = read_scores(tmp_path / "files" / "scores.jsonl")
    merged = [score for score in in_memory if score.alpha is not None]
    assert unlabelled(merged) == unlabelled(from_files)
    assert {score.method for score in merged} == {"linear"}


def test_a_grid_may_be_mixed_with_named_encoders_under_other_labels(
    tiny_file: Path, tuned_file: Path, manifests: Path, tmp_path: Path
) -> None:
    way = {
        "merge__base": tiny_file,
        "merge__tuned": [tuned_file],
        "merge__alphas": "0.5",
        "evaluate__interpolate": True,
        "evaluate__tasks": ["sid"],
    }
    evaluate.run(config(tmp_path / "out", manifests, **way, evaluate__models={"mine": tiny_file}), ignore)
    scores = read_scores(tmp_path / "out" / "scores.jsonl")
    assert list(dict.fromkeys(score.label for score in scores)) == ["base", "tuned", "alpha-0.5", "mine"]
    with pytest.raises(RequestError, match="must have other labels than the grid's, got tuned"):
        evaluate.run(config(tmp_path / "out", manifests, **way, evaluate__models={"tuned": tiny_file}), ignore)
