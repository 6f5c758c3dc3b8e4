"""A greedy soup from files to files, with true probes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.engines import merge
from speechft_cli.errors import InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Event, Note, Started, Table, ignore
from tests.conftest import make_config


@pytest.fixture
def store(tiny: EncoderCheckpoint, tmp_path: Path) -> Path:
    """A base, two models tuned from it, the second as s3prl's runner saves one, without a configuration."""
    converted.write(tiny, tmp_path / "base.pt")
    for seed, name in ((1, "a.pt"), (2, "b.ckpt")):
        generator = torch.Generator().manual_seed(seed)
        moved = {key: t + 0.01 * torch.randn(t.shape, generator=generator) for key, t in tiny.weights.items()}
        if name.endswith(".pt"):
            converted.write(tiny.with_weights(moved), tmp_path / name)
        else:
            tree = {"Upstream": {f"model.{key}": each for key, each in moved.items()}, "Downstream": {}}
            torch.save(tree, tmp_path / name)
    return tmp_path


def test_a_greedy_soup_merges_what_it_kept_and_records_what_it_tried(store: Path, manifests: Path) -> None:
    tuned = [store / "a.pt", store / "b.ckpt"]
    config = make_config(
        merge__base=store / "base.pt", merge__tuned=tuned, merge__alpha=1, merge__greedy="sid",
        merge__out=store / "out", evaluate__data=manifests, evaluate__steps={"sid": 10}, evaluate__seeds=1,
        evaluate__extend_learning_rates=0, evaluate__device="cpu",
    )  # fmt: skip
    mine = store / "out" / "soup" / "mine.pt"
    mine.parent.mkdir(parents=True)
    mine.write_text("somebody's own")
    events: list[Event] = []
    merge.run(config, events.append)
    record = json.loads((store / "out" / "merge.json").read_text())
    soup = record["soup"]
    assert (soup["recipe"], soup["task"], soup["metric"], soup["split"]) == ("greedy", "sid", "acc", "dev")
    tried = soup["tried"]
    assert {each["path"] for each in tried} == set(map(str, tuned))
    assert tried[0]["kept"]
    assert tried[0]["alone"] >= tried[1]["alone"]
    assert tried[1]["kept"] == (tried[1]["soup"] >= tried[0]["alone"])
    kept = [each for each in map(str, tuned) if any(each == one["path"] and one["kept"] for one in tried)]
    assert [each["path"] for each in record["tuned"]] == kept
    merged = read_encoder(store / "out" / "encoder.pt").weights
    models = [read_encoder(Path(each)).weights for each in kept]
    for name in ("encoder.layers.0.fc1.weight", "encoder.layer_norm.bias"):
        mean = sum(each[name] for each in models) / len(models)
        torch.testing.assert_close(merged[name], mean, rtol=0, atol=1e-6)
    assert any(isinstance(event, Table) and event.title.startswith("Greedy soup by") for event in events)
    assert {path.name for path in (store / "out").rglob("*.pt")} == {"encoder.pt", "mine.pt"}
    assert mine.read_text() == "somebody's own"
    assert not any(path.name == "cache" or path.name.startswith(".soup-") for path in (store / "out").rglob("*"))
    assert (store / "out" / "soup" / "scores.jsonl").is_file()


def test_an_interrupted_soup_leaves_no_checkpoints(store: Path, manifests: Path) -> None:
    config = make_config(
        merge__base=store / "base.pt", merge__tuned=[store / "a.pt", store / "b.ckpt"], merge__greedy="sid",
        merge__out=store / "out", evaluate__data=manifests, evaluate__device="cpu",
    )  # fmt: skip

    seen = []

    def interrupt(event: Event) -> None:
        if any((store / "out").rglob("*.pt")):
            assert (store / "out" / ".lock").read_text() == str(os.getpid())  # nobody else may come in between
            raise KeyboardInterrupt
        seen.append(event)

    with pytest.raises(InterruptedRunError):
        merge.run(config, interrupt)
    assert not any(path.is_file() and path.suffix == ".pt" for path in (store / "out").rglob("*"))
    assert not any((store / "out").glob(".soup-*"))
    # every number was looked at before anything was scored
    assert [event.what for event in seen if isinstance(event, Started)] == ["reading and hashing"]


def test_what_can_t_be_written_or_read_is_said_before_anything_is_scored(
    store: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(
        merge__base=store / "base.pt", merge__tuned=[store / "a.pt", store / "b.ckpt"], merge__greedy="sid",
        merge__out=store / "out", merge__data=manifests, evaluate__device="cpu",
    )  # fmt: skip
    size = sum(array.nbytes for array in read_encoder(store / "base.pt").arrays.values())
    # two models and a mean to score, and the result
    usage = shutil.disk_usage(store)._replace(free=4 * size - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SpeechftError, match="are free on its disk"):
        merge.run(config, ignore)
    assert not (store / "out").exists()


def test_one_tuned_model_makes_no_soup(store: Path, manifests: Path) -> None:
    flags = {"merge__base": store / "base.pt", "merge__greedy": "sid", "evaluate__data": manifests}
    config = make_config(**flags, merge__tuned=[store / "a.pt"], merge__out=store / "out")
    with pytest.raises(RequestError, match="must have at least two tuned models to choose from, got 1"):
        merge.run(config, ignore)
    assert not (store / "out").exists()


def test_the_plan_says_that_a_greedy_soup_may_leave_models_out(store: Path, manifests: Path) -> None:
    flags = {"merge__base": store / "base.pt", "merge__greedy": "sid", "evaluate__data": manifests}
    config = make_config(**flags, merge__tuned=[store / "a.pt", store / "b.ckpt"], merge__out=store / "out")
    events: list[Event] = []
    merge.run(config, events.append, plan_only=True)
    assert any(isinstance(event, Note) and "greedy soup by sid may leave out" in event.text for event in events)
    assert not (store / "out").exists()
