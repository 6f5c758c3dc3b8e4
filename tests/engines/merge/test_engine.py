"""The merge stage from files to files, on true tiny checkpoints."""

from __future__ import annotations

import argparse
import fractions
import hashlib
import json
import math
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from s3prl.upstream.hubert.convert import load_converted_model
from torch import Tensor

from speechft_cli.config.load import load_config
from speechft_cli.config.schema import Config
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.encoders.hubert import HUBERT
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.engines import merge
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Advanced, Event, Finished, Note, Started, Table, ignore
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.run_folder import write_run

FILES = ("README.md", "encoder.pt", "merge.json")
HEAD = {"final_proj.weight", "final_proj.bias", "label_embs_concat"}


def perturbed(weights: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """What fine-tuning does: all but the CNN moves, and here the pre-training head too."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor if HUBERT.is_cnn(name) else tensor + 0.05 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in weights.items()
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base.pt, two models tuned from it, and the first of them as s3prl's runner saves it."""
    folder = tmp_path_factory.mktemp("store")
    base = random_checkpoint(HUBERT, "tiny", seed=0)
    converted.write(base, folder / "base.pt")
    for seed, name in ((1, "tuned"), (2, "other")):
        converted.write(base.with_weights(perturbed(dict(base.weights), seed)), folder / f"{name}.pt")
    upstream = {f"model.{name}": tensor for name, tensor in perturbed(dict(base.weights), 1).items()}
    torch.save({"Args": argparse.Namespace(), "Upstream": upstream, "Downstream": {}}, folder / "dev-best.ckpt")
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("merge must not use the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def config_of(store: Path, out: Path, **flags: object) -> Config:
    given: dict[str, object] = {"base": store / "base.pt", "tuned": [store / "tuned.pt"], "out": out, **flags}
    return load_config(None, flags={f"merge.{key}": value for key, value in given.items()}).config


def weights_of(path: Path) -> dict[str, Tensor]:
    return dict(read_encoder(path, HUBERT).weights)


def test_a_plan_reads_no_tensor(store: Path, tmp_path: Path) -> None:
    """Some numbers are overwritten, which a plan can't notice and a merge must."""
    shutil.copy(store / "tuned.pt", tmp_path / "tuned.pt")
    data = bytearray((tmp_path / "tuned.pt").read_bytes())
    start = data.index(struct.pack("<4f", *weights_of(store / "tuned.pt")["encoder.layers.0.fc1.weight"][0, :4]))
    data[start : start + 16] = struct.pack("<4f", *[math.nan] * 4)
    (tmp_path / "tuned.pt").write_bytes(data)
    config = config_of(store, tmp_path / "out", tuned=[tmp_path / "tuned.pt"])
    merge.run(config, ignore, plan_only=True)
    with pytest.raises(
        RequestError, match=r"(?m)is damaged: not what was written are encoder\.layers\.0\.fc1\.weight$"
    ):
        merge.run(config, ignore)
    assert not (tmp_path / "out").exists()


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_grid_writes_exact_names_and_the_published_formula(store: Path, tmp_path: Path) -> None:
    result = merge.run(config_of(store, tmp_path / "out", alphas="0:0.5:0.1"), ignore)
    names = ["alpha-0", "alpha-0.1", "alpha-0.2", "alpha-0.3", "alpha-0.4", "alpha-0.5"]
    assert tree(tmp_path / "out") == {
        *names,
        *(f"{name}/{file}" for name in names for file in ("README.md", "encoder.pt", "merge.json")),
    }
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    merged = weights_of(tmp_path / "out" / "alpha-0.3")
    assert list(merged) == list(base)
    for name, tensor in merged.items():
        expected = base[name] if name in HEAD else base[name] + 0.3 * (tuned[name] - base[name])
        assert torch.equal(tensor, expected), name
    assert result.output == str(tmp_path / "out")
    assert result.summary == "merged encoders written: 6, there already: 0"


def test_alpha_zero_and_one_are_bit_exact_through_files(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, alphas="0:1:1"), ignore)
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    assert weights_hash(weights_of(tmp_path / "alpha-0")) == weights_hash(base)
    expected = {**tuned, **{name: base[name] for name in HEAD}}
    assert weights_hash(weights_of(tmp_path / "alpha-1")) == weights_hash(expected)
    assert all(name in base for name in HEAD)


def test_one_alpha_goes_into_the_folder_itself_beside_what_is_there(store: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    merge.run(config_of(store, tmp_path), ignore)
    assert tree(tmp_path) == {"notes.txt", "README.md", "encoder.pt", "merge.json"}
    assert json.loads((tmp_path / "merge.json").read_text())["alpha"] == 0.25  # the paper's, when nothing is said


def test_an_s3prl_downstream_run_merges_like_the_same_weights(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "one"), ignore)
    merge.run(config_of(store, tmp_path / "two", tuned=[store / "dev-best.ckpt"]), ignore)
    assert file_hash(tmp_path / "one" / "encoder.pt") == file_hash(tmp_path / "two" / "encoder.pt")


def test_several_tuned_models_are_averaged(store: Path, tmp_path: Path) -> None:
    paths = [store / "tuned.pt", store / "other.pt"]
    merge.run(config_of(store, tmp_path, tuned=paths, alpha="0.5"), ignore)
    base, one, two = (weights_of(path) for path in (store / "base.pt", *paths))
    for name, tensor in weights_of(tmp_path).items():
        if name not in HEAD:
            exact = base[name].double() / 2 + (one[name].double() + two[name].double()) / 4
            torch.testing.assert_close(tensor.double(), exact, rtol=0, atol=1e-6)


def test_alpha_outside_zero_and_one_extrapolates(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, alphas=[-0.5, 1.5]), ignore)
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    for alpha in (-0.5, 1.5):
        got = weights_of(tmp_path / f"alpha-{alpha}")["mask_emb"]
        assert torch.equal(got, base["mask_emb"] + alpha * (tuned["mask_emb"] - base["mask_emb"]))


def test_stock_s3prl_and_our_loader_give_the_same_features(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path), ignore)
    model, _ = load_converted_model(str(tmp_path / "encoder.pt"))
    model.eval()
    waveform = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    encoder = build_encoder(read_encoder(tmp_path, HUBERT), device=torch.device("cpu"))
    with torch.no_grad():
        stock, _ = model.extract_features(waveform[None], padding_mask=None, mask=False)
        ours = encoder([waveform]).last
        base = build_encoder(read_encoder(store / "base.pt", HUBERT), device=torch.device("cpu"))([waveform]).last
    assert torch.equal(stock, ours)
    assert not torch.equal(base, ours)


def test_the_base_s_own_configuration_is_wrapped(store: Path, tmp_path: Path) -> None:
    base = read_encoder(store / "base.pt", HUBERT)
    task = base.container["task_cfg"]
    assert isinstance(task, dict)
    own = type(base)(HUBERT, base.weights, {**base.container, "task_cfg": {**task, "max_sample_size": 4711}})
    converted.write(own, tmp_path / "own.pt")
    merge.run(config_of(store, tmp_path / "out", base=tmp_path / "own.pt"), ignore)
    assert read_encoder(tmp_path / "out", HUBERT).container == own.container


def test_merge_json_says_what_the_checkpoint_was_made_of(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "out", alphas="0.3"), ignore)
    folder = tmp_path / "out" / "alpha-0.3"
    record = json.loads((folder / "merge.json").read_text())
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    assert (record["family"], record["method"], record["alpha"]) == ("hubert", "linear", 0.3)
    assert record["parameters"] == {"weight": None, "normalize": False}
    assert "2502.12672" in record["paper"]
    assert record["base"] == {
        "path": str(store / "base.pt"),
        "bytes": (store / "base.pt").stat().st_size,
        "changed_ns": (store / "base.pt").stat().st_mtime_ns,
        "weights_sha256": weights_hash(base),
    }
    assert [each["path"] for each in record["tuned"]] == [str(store / "tuned.pt")]
    assert record["kept"] == dict.fromkeys(HEAD, "pre-training head")
    output = record["output"]
    assert output["file"] == "encoder.pt"
    assert output["bytes"] == (folder / "encoder.pt").stat().st_size
    assert output["files"] == {
        "encoder.pt": {
            "bytes": (folder / "encoder.pt").stat().st_size,
            "sha256": hashlib.sha256((folder / "encoder.pt").read_bytes()).hexdigest(),
        }
    }
    assert record["effective_alpha"] == [0.3]
    assert set(output["moved"]) >= {"layers.0", "layers.2", "feature_extractor", "encoder.pos_conv"}
    assert output["moved"]["feature_extractor"] is None  # fine-tuning left it alone
    assert math.isclose(output["moved"]["layers.1"], 0.3, rel_tol=1e-5)
    exact = math.sqrt(sum(((tuned[n].double() - base[n].double()) ** 2).sum().item() for n in base if n not in HEAD))
    assert math.isclose(output["tuned_distance"], exact, rel_tol=1e-6)
    assert math.isclose(output["distance"], 0.3 * exact, rel_tol=1e-6)
    assert time.strptime(record["created"], "%Y-%m-%dT%H:%M:%S%z")


def test_half_precision_checkpoints_stay_half(store: Path, tmp_path: Path) -> None:
    for name in ("base", "tuned"):
        whole = read_encoder(store / f"{name}.pt", HUBERT)
        converted.write(whole.with_weights({n: t.half() for n, t in whole.weights.items()}), tmp_path / f"{name}.pt")
    merge.run(config_of(tmp_path, tmp_path / "out"), ignore)
    merged, base, tuned = (weights_of(tmp_path / name) for name in ("out", "base.pt", "tuned.pt"))
    for name, tensor in merged.items():
        expected = base[name].float() + (0.0 if name in HEAD else 0.25) * (tuned[name].float() - base[name].float())
        assert torch.equal(tensor, expected.half()), name


# what the engine says


def test_events_count_the_alphas_and_end_in_a_table(store: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    merge.run(config_of(store, tmp_path, alphas=[0, 0.5]), events.append)
    begin = events.index(Started("merging", 2, "alphas"))
    assert events[begin + 1 : -1] == [Advanced(1, "alpha 0"), Advanced(2, "alpha 0.5"), Finished()]
    table = events[-1]
    assert isinstance(table, Table)
    assert table.columns == ("alpha", "distance", "size", "path")
    assert [row[:3] for row in table.rows] == [("0", "0.0000", "3.3 MB"), ("0.5", "0.5000", "3.3 MB")]
    assert table.rows[1][3] == str(tmp_path / "alpha-0.5" / "encoder.pt")


def test_the_result_is_json_and_its_next_command_evaluates(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "my merges"
    result = merge.run(config_of(store, out, alphas=[0, 0.5]), ignore)
    data = json.loads(json.dumps(result.data))
    assert [(each["alpha"], each["folder"], each["status"]) for each in data["outputs"]] == [
        (0.0, str(out / "alpha-0"), "written"),
        (0.5, str(out / "alpha-0.5"), "written"),
    ]
    base = store / "base.pt"
    assert result.next_command == (
        f"speechft evaluate --model base={base} --model '{out}/alpha-0' --model '{out}/alpha-0.5' "
        "--data MANIFESTS --task sid"
    )


def test_a_long_grid_suggests_a_short_command(store: Path, tmp_path: Path) -> None:
    result = merge.run(config_of(store, tmp_path / "grid", alphas="0:1:0.1"), ignore)
    models = f"--model base={store}/base.pt --model {tmp_path}/grid"
    assert result.next_command == f"speechft evaluate {models} --data MANIFESTS --task sid"


@pytest.mark.parametrize("name", ["hf", "safetensors"])
def test_the_next_command_names_folders_whatever_the_format(store: Path, tmp_path: Path, name: str) -> None:
    result = merge.run(config_of(store, tmp_path / "grid", alphas=[0, 0.5], formats=[name]), ignore)
    models = f"--model base={store}/base.pt --model {tmp_path}/grid/alpha-0 --model {tmp_path}/grid/alpha-0.5"
    assert result.next_command == f"speechft evaluate {models} --data MANIFESTS --task sid"


@pytest.mark.parametrize("more", [{"method": ["linear", "ties"]}, {"file_name": "mine.pt"}])
def test_merges_of_one_name_are_suggested_as_their_folder(store: Path, tmp_path: Path, more: dict[str, object]) -> None:
    result = merge.run(config_of(store, tmp_path / "grid", alphas=[0, 0.5], **more), ignore)
    models = f"--model base={store}/base.pt --model {tmp_path}/grid"
    assert result.next_command == f"speechft evaluate {models} --data MANIFESTS --task sid"


def test_a_grid_beside_a_single_merge_is_suggested_alpha_by_alpha(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "grid", alpha=0.5), ignore)
    result = merge.run(config_of(store, tmp_path / "grid", alphas="0:1:0.1"), ignore)
    assert f"--model {tmp_path}/grid/alpha-0.1 " in result.next_command


def test_a_base_merged_with_itself_is_said(store: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    merge.run(config_of(store, tmp_path, tuned=[store / "base.pt"]), events.append)
    assert (
        Note(f"{store / 'base.pt'}: has the weights of the base, so there is nothing to merge", important=True)
        in events
    )
    assert weights_hash(weights_of(tmp_path)) == weights_hash(weights_of(store / "base.pt"))
    assert [event.rows[0][1] for event in events if isinstance(event, Table)] == ["-"]


# planning


def test_a_plan_counts_tensors_and_writes_nothing(store: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    config = config_of(store, tmp_path / "out", alphas="0:1:0.5")
    result = merge.run(config, events.append, plan_only=True)
    assert tree(tmp_path) == set()
    base = weights_of(store / "base.pt")
    cnn = [name for name in base if HUBERT.is_cnn(name)]
    table = events[-1]
    assert isinstance(table, Table)
    assert table.title == "Plan at alpha 1"
    counts = {row[0]: row[1:4] for row in table.rows}
    assert counts["feature_extractor"] == ("merge", "in base and tuned", str(len(cnn)))
    assert counts["layers.0"] == ("merge", "in base and tuned", "16")
    assert counts["-"] == ("keep", "pre-training head", "3")
    assert sum(int(row[3]) for row in table.rows) == len(base)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "keep final_proj.bias [128]: pre-training head, alpha 0" in notes
    assert "linear at alpha 1 adds this much of each tuned model: 1" in notes
    assert result.data["kept"] == dict.fromkeys(HEAD, "pre-training head")
    assert result.data["merged"] == len(base) - 3
    assert result.data["bytes"] == sum(tensor.nbytes for tensor in base.values())
    assert result.summary.startswith("merged encoders to write: 3 of 3.3 MB each, with ")
    (plan,) = json.loads(json.dumps(result.data["plan"]))
    assert [key["name"] for key in plan["keys"]] == list(base)
    merge.run(config_of(store, tmp_path / "out", alphas=[0.5]), ignore)
    outputs = merge.run(config, ignore, plan_only=True).data["outputs"]
    assert isinstance(outputs, list)
    assert [each["status"] for each in outputs] == ["write", "skip", "write"]


# rerunning


def test_a_rerun_makes_only_what_is_missing(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, alphas=[0.25, 0.5]), ignore)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*")}
    events: list[Event] = []
    result = merge.run(config_of(store, tmp_path, alphas=[0.25, 0.5, 0.75]), events.append)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert result.summary == "merged encoders written: 1, there already: 2"
    assert Note(f"alpha 0.25: is there already, in {tmp_path / 'alpha-0.25'}") in events
    outputs = result.data["outputs"]
    assert isinstance(outputs, list)
    assert [each["status"] for each in outputs] == ["skipped", "skipped", "written"]


def test_moved_sources_are_the_same_sources(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "out"), ignore)
    shutil.copytree(store, tmp_path / "moved")
    result = merge.run(config_of(tmp_path / "moved", tmp_path / "out"), ignore)
    assert result.summary == "merged encoders written: 0, there already: 1"


def test_a_damaged_checkpoint_is_made_again_and_said(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, alphas=[0.25]), ignore)
    folder = tmp_path / "alpha-0.25"
    good = file_hash(folder / "encoder.pt")
    os.truncate(folder / "encoder.pt", 100)
    (folder / "card.md").write_text("mine")
    events: list[Event] = []
    merge.run(config_of(store, tmp_path, alphas=[0.25]), events.append)
    assert file_hash(folder / "encoder.pt") == good
    assert (folder / "card.md").read_text() == "mine"
    assert any(isinstance(event, Note) and event.important and "made again" in event.text for event in events)


@pytest.mark.parametrize(
    ("flags", "difference"),
    [
        ({"alpha": "0.3"}, "alpha 0.25 instead of 0.3"),
        ({"tuned": ["other.pt"]}, "another tuned checkpoint"),
        ({"base": "other.pt"}, "another base checkpoint"),
        ({"file_name": "merged_model.pt"}, "file encoder.pt instead of merged_model.pt"),
    ],
)
def test_another_merge_in_the_same_folder_is_refused(
    store: Path, tmp_path: Path, flags: dict[str, object], difference: str
) -> None:
    merge.run(config_of(store, tmp_path), ignore)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    if "tuned" in flags:
        flags = {"tuned": [store / "other.pt"]}
    if "base" in flags:
        flags = {"base": store / "other.pt"}
    with pytest.raises(RequestError, match=f"(?m)holds another merge: {difference}$") as caught:
        merge.run(config_of(store, tmp_path, **flags), ignore)
    assert "--out" in caught.value.hint
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_all_folders_in_the_way_are_said_before_anything_is_written(store: Path, tmp_path: Path) -> None:
    for name in ("alpha-0", "alpha-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "encoder.pt").write_text("a stranger's")
    (tmp_path / "alpha-0.5").write_text("a file")
    with pytest.raises(RequestError) as caught:
        merge.run(config_of(store, tmp_path, alphas="-1:1:0.5"), ignore)
    assert caught.value.message.splitlines() == [
        f"{tmp_path}/alpha-0/encoder.pt: exists and was not written by merge",
        f"{tmp_path}/alpha-0.5: must be a folder, is a file",
        f"{tmp_path}/alpha-1/encoder.pt: exists and was not written by merge",
    ]
    assert not (tmp_path / "alpha--1").exists()


def test_a_base_is_never_overwritten_by_its_own_merge(store: Path, tmp_path: Path) -> None:
    shutil.copy(store / "base.pt", tmp_path / "encoder.pt")
    with pytest.raises(RequestError, match="was not written by merge"):
        merge.run(config_of(store, tmp_path, base=tmp_path / "encoder.pt"), ignore)
    assert file_hash(tmp_path / "encoder.pt") == file_hash(store / "base.pt")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"base": 3, "output": {}}'])
def test_a_broken_merge_json_is_refused(store: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "merge.json").write_text(text)
    with pytest.raises(RequestError, match=r"merge\.json: must be the record of a merge, can't be read"):
        merge.run(config_of(store, tmp_path), ignore)


# what goes wrong


def test_another_size_is_refused_and_nothing_is_written(store: Path, tmp_path: Path) -> None:
    base = read_encoder(store / "base.pt", HUBERT)
    wide = {name: torch.zeros(*(6 * size for size in tensor.shape)) for name, tensor in base.weights.items()}
    torch.save(
        {"Upstream": {f"model.{name}": t[:1].expand(t.shape) for name, t in wide.items()}}, tmp_path / "wide.ckpt"
    )
    with pytest.raises(RequestError) as caught:
        merge.run(config_of(store, tmp_path / "out", tuned=[tmp_path / "wide.ckpt"], alphas="0:1:0.5"), ignore)
    assert caught.value.exit_code == 2
    assert caught.value.message.startswith(
        f"{tmp_path / 'wide.ckpt'}: does not fit the base: the tuned checkpoint is of another size: "
        "768-dim against 128-dim\n"
    )
    assert "more" in caught.value.message.splitlines()[-1]
    assert tree(tmp_path) == {"wide.ckpt"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("which", ["base", "tuned"])
def test_nan_in_an_input_names_file_and_key(store: Path, tmp_path: Path, which: str, value: float) -> None:
    whole = read_encoder(store / f"{which}.pt", HUBERT)
    weights = {name: tensor.clone() for name, tensor in whole.weights.items()}
    weights["encoder.layers.1.fc1.bias"][3] = value
    converted.write(whole.with_weights(weights), tmp_path / "bad.pt")
    given: object = tmp_path / "bad.pt" if which == "base" else [tmp_path / "bad.pt"]
    with pytest.raises(SpeechftError, match=r"(?m)bad\.pt: must be finite.*encoder\.layers\.1\.fc1\.bias$") as caught:
        merge.run(config_of(store, tmp_path / "out", **{which: given}), ignore)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_an_overflowing_output_names_alpha_and_keys_and_keeps_what_was_finished(store: Path, tmp_path: Path) -> None:
    for name, scale in (("base", 1), ("tuned", 1000)):
        whole = read_encoder(store / f"{name}.pt", HUBERT)
        halves = {key: (scale * tensor).half() for key, tensor in whole.weights.items()}
        converted.write(whole.with_weights(halves), tmp_path / f"{name}.pt")
    with pytest.raises(
        SpeechftError, match=r"(?m)alpha 9000: must be finite, has NaN or Inf in .* and \d+ more$"
    ) as caught:
        merge.run(config_of(tmp_path, tmp_path / "out", alphas=[0.5, 9000]), ignore)
    assert "a smaller alpha" in caught.value.hint
    assert tree(tmp_path / "out") == {"alpha-0.5", *(f"alpha-0.5/{file}" for file in FILES)}


def test_a_base_with_weights_only_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"dev-best\.ckpt: has weights but no configuration"):
        merge.run(config_of(store, tmp_path, base=store / "dev-best.ckpt"), ignore)


def test_too_many_checkpoints_for_the_disk_are_refused_with_numbers(store: Path, tmp_path: Path) -> None:
    needed = shutil.disk_usage(tmp_path).total // 999 + 1  # bytes of each of 999 checkpoints
    base = read_encoder(store / "base.pt", HUBERT)
    # one number seen many times: a large tensor in a small file, which the merge would write out in full
    large = {**base.weights, "final_proj.weight": torch.zeros(1).expand(needed // 4 + 1)}
    torch.save({**base.container, HUBERT.weights_key: large}, tmp_path / "base.pt")
    with pytest.raises(SpeechftError, match=r"out: needs \d+\.\d [GT]B, but only \d+\.\d [GT]B are free"):
        merge.run(config_of(store, tmp_path / "out", base=tmp_path / "base.pt", alphas="0.001:0.999:0.001"), ignore)
    assert tree(tmp_path) == {"base.pt"}


def test_a_full_disk_leaves_the_finished_alphas_and_a_rerun_goes_on(store: Path, tmp_path: Path) -> None:
    config = config_of(store, tmp_path, alphas="0.1:0.8:0.1")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(event: Event) -> None:
        if event == Advanced(1, "alpha 0.1"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # a write past it fails as on a full disk

    try:
        with pytest.raises(SpeechftError, match=r"alpha-0\.\d: can't be written") as caught:
            merge.run(config, fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 1
    finished = {path.name for path in tmp_path.iterdir()}  # the next ones may be on their way when one is reported
    assert "alpha-0.1" in finished
    assert "alpha-0.8" not in finished
    assert tree(tmp_path) == {*finished, *(f"{folder}/{file}" for folder in finished for file in FILES)}
    found = merge.run(config, ignore).summary
    assert found == f"merged encoders written: {8 - len(finished)}, there already: {len(finished)}"


def test_merging_imports_neither_torch_nor_s3prl(store: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from speechft_cli.config.load import load_config\n"
        "from speechft_cli.engines import merge\n"
        "store, out = map(Path, sys.argv[1:])\n"
        "flags = {'base': store / 'base.pt', 'tuned': [store / 'dev-best.ckpt'], 'out': out, 'formats': ['s3prl', "
        "'safetensors'], 'method': ['linear', 'ties', 'slerp', 'dare_linear']}\n"
        "merge.run(load_config(None, flags={f'merge.{k}': v for k, v in flags.items()}).config, lambda event: None)\n"
        "sys.exit(bool({'torch', 's3prl', 'scipy', 'transformers'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(store), str(tmp_path)], check=False).returncode == 0


def test_a_checkpoint_with_foreign_types_is_merged_only_when_it_is_trusted(store: Path, tmp_path: Path) -> None:
    tree = torch.load(store / "dev-best.ckpt", weights_only=False)
    torch.save({**tree, "Rate": fractions.Fraction(1, 2)}, tmp_path / "dev-best.ckpt")
    config = config_of(store, tmp_path / "out", tuned=[tmp_path / "dev-best.ckpt"])
    with pytest.raises(RequestError, match=r"(?m)would have to execute: fractions\.Fraction$") as caught:
        merge.run(config, ignore)
    assert "--trust" in caught.value.hint
    merge.run(config, ignore, trust=True)
    merge.run(config_of(store, tmp_path / "plain", tuned=[store / "dev-best.ckpt"]), ignore)
    assert weights_hash(weights_of(tmp_path / "out")) == weights_hash(weights_of(tmp_path / "plain"))


def test_a_kill_in_mid_write_leaves_nothing_half_written(store: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from speechft_cli.config.load import load_config\n"
        "from speechft_cli.engines import merge\n"
        "store, out = map(Path, sys.argv[1:])\n"
        "flags = {'base': store / 'base.pt', 'tuned': [store / 'tuned.pt'], 'out': out, 'alphas': '0.25:0.75:0.25'}\n"
        "from speechft_cli.io import merge_folder\n"
        "write = merge_folder.write_json\n"
        "def trap(path, record):\n"  # in the second alpha, when its folder lacks nothing but the record
        "    if record['alpha'] == 0.75:\n"  # which may be as far by then
        "        threading.Event().wait()\n"
        "    while record['alpha'] == 0.5 and not (out / 'alpha-0.25').exists():\n"
        "        pass\n"
        "    if record['alpha'] == 0.5:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(path, record)\n"
        "merge_folder.write_json = trap\n"
        "merge.run(load_config(None, flags={f'merge.{k}': v for k, v in flags.items()}).config, lambda event: None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store), str(tmp_path / "out")], check=False)
    assert done.returncode == -signal.SIGKILL
    visible = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert visible == {"alpha-0.25"}
    result = merge.run(config_of(store, tmp_path / "out", alphas="0.25:0.75:0.25"), ignore)
    assert result.summary == "merged encoders written: 2, there already: 1"


# where base and tuned come from


def finetuning_run(store: Path, folder: Path, base: Path) -> None:
    """A run folder as far as merge reads it."""
    converted.write(read_encoder(store / "tuned.pt", HUBERT), folder / "best" / "encoder.pt")
    write_run(folder, {"base": {"path": str(base), "weights_sha256": weights_hash(weights_of(base))}, "status": "done"})


def test_a_config_without_paths_merges_its_fine_tuning_run(store: Path, tmp_path: Path) -> None:
    finetuning_run(store, tmp_path / "finetune", store / "base.pt")
    events: list[Event] = []
    merge.run(load_config(None, flags={"output_dir": tmp_path}).config, events.append)
    record = json.loads((tmp_path / "merge" / "merge.json").read_text())
    assert record["base"]["path"] == str(store / "base.pt")
    assert record["tuned"][0]["path"] == str(tmp_path / "finetune" / "best" / "encoder.pt")
    assert not [event for event in events if isinstance(event, Note)]


def test_the_encoder_of_the_config_comes_before_the_one_of_the_run(store: Path, tmp_path: Path) -> None:
    finetuning_run(store, tmp_path / "finetune", store / "other.pt")
    flags = {"output_dir": tmp_path, "encoder.checkpoint": store / "base.pt"}
    events: list[Event] = []
    merge.run(load_config(None, flags=flags).config, events.append)
    assert json.loads((tmp_path / "merge" / "merge.json").read_text())["base"]["path"] == str(store / "base.pt")
    warning = f"{tmp_path / 'finetune'}: was fine-tuned from {store / 'other.pt'}, not from {store / 'base.pt'}"
    assert Note(warning, important=True) in events


def test_a_checkpoint_of_a_run_named_by_its_file_is_known_as_the_run_s(store: Path, tmp_path: Path) -> None:
    finetuning_run(store, tmp_path / "finetune", store / "other.pt")
    tuned = tmp_path / "finetune" / "best" / "encoder.pt"
    events: list[Event] = []
    merge.run(config_of(store, tmp_path / "out", tuned=[tuned]), events.append)
    warning = f"{tmp_path / 'finetune'}: was fine-tuned from {store / 'other.pt'}, not from {store / 'base.pt'}"
    assert Note(warning, important=True) in events


def test_without_a_base_the_message_names_place_and_key(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"^merge\.base: must name the checkpoint") as caught:
        merge.run(load_config(None, flags={"output_dir": tmp_path, "merge.tuned": ["x.pt"]}).config, ignore)
    assert "the stock hubert is hubert-base: set merge.base to it (--base hubert-base)" in caught.value.hint


def test_without_a_tuned_model_the_message_says_how_to_get_one(store: Path, tmp_path: Path) -> None:
    flags = {"output_dir": tmp_path, "merge.base": store / "base.pt"}
    with pytest.raises(RequestError, match=r"merge\.tuned: must name a fine-tuned checkpoint"):
        merge.run(load_config(None, flags=flags).config, ignore)


# the published code's own YAML


def test_the_reference_s_yaml_runs_unchanged(store: Path, tmp_path: Path) -> None:
    for name in ("base.pt", "dev-best.ckpt"):
        shutil.copy(store / name, tmp_path)
    (tmp_path / "merge.yaml").write_text(
        "{\n  'merge_method': 'linear',\n  'alpha': 0.25,\n  'base_model_name': 'hubert',\n"
        "  'base_model_ckpt_path': 'base.pt',\n  'finetune_model_paths': [\n    'dev-best.ckpt'\n  ],\n"
        "  'output_dir': 'merged'\n}\n"
    )
    result = merge.run(load_config(tmp_path / "merge.yaml").config, ignore)
    assert tree(tmp_path / "merged") == {"merged_model.pt", "README.md", "merge.json"}
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    model, _ = load_converted_model(str(tmp_path / "merged" / "merged_model.pt"))
    for name, tensor in model.state_dict().items():
        task_vector = torch.zeros_like(base[name]) if name in HEAD else tuned[name] - base[name]
        assert torch.equal(tensor, base[name] + 0.25 * task_vector), name
    assert f"--model {tmp_path}/merged/merged_model.pt" in result.next_command


def test_the_reference_s_yaml_without_a_base_takes_the_stock_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPEECHFT_CACHE", str(cache))
    stock = cache / "encoders" / "hubert-base"
    stock.mkdir(parents=True)
    shutil.copy(store / "base.pt", stock / "hubert_base_ls960.pt")  # what would be fetched
    shutil.copy(store / "dev-best.ckpt", tmp_path / "a.ckpt")
    (tmp_path / "merge.yaml").write_text("base_model_name: hubert\nfinetune_model_paths: [a.ckpt]\noutput_dir: out\n")
    merge.run(load_config(tmp_path / "merge.yaml").config, ignore)
    base, tuned = weights_of(store / "base.pt"), weights_of(store / "tuned.pt")
    for name, tensor in weights_of(tmp_path / "out" / "merged_model.pt").items():
        assert torch.equal(tensor, base[name] if name in HEAD else base[name] + 0.25 * (tuned[name] - base[name])), name


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "merge.yaml").write_text("base_model_name: whisper\nfinetune_model_paths: [a.ckpt]\noutput_dir: out\n")
    with pytest.raises(RequestError, match=r"encoder family: must be one of .*hubert.*, got 'whisper'"):
        merge.run(load_config(tmp_path / "merge.yaml").config, ignore)
