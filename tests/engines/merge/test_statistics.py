"""Merging by statistics from files to files: runs with heads, true manifests, a tiny encoder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from speechft_cli.config.schema import Config
from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.encoders.formats.safetensors import read_tensors
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import finetune, merge
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Event, Note, Started, ignore
from speechft_cli.tasks import TASKS
from tests.conftest import make_config

SPEAKERS = ["speaker0", "speaker1"]
MATRIX = "encoder.layers.0.fc2.weight"


@pytest.fixture(scope="module")
def store(tiny: EncoderCheckpoint, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base; `asr`, a true run; `sid`, the best checkpoint of one as far as a merge reads it."""
    folder = tmp_path_factory.mktemp("measured")
    converted.write(tiny, folder / "base.pt")
    finetune.run(
        make_config(
            encoder__checkpoint=folder / "base.pt", finetune__task="asr", finetune__data=manifests, finetune__steps=2,
            finetune__workers=0, finetune__device="cpu", finetune__out=folder / "asr",
        ),
        ignore,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    cnn = tiny.family.is_cnn
    moved = {
        key: each if cnn(key) else each + 0.01 * torch.randn(each.shape, generator=generator)
        for key, each in tiny.weights.items()
    }
    best = folder / "sid" / "best"
    converted.write(tiny.with_weights(moved), best / "encoder.pt")
    torch.manual_seed(2)
    width = build_encoder(tiny, device=torch.device("cpu")).width
    torch.save(nn.ModuleDict({"sid": TASKS.get("sid").head(width, 2)}).state_dict(), best / "heads.pt")
    (best / "heads.json").write_text(
        json.dumps({"step": 1, "tasks": {"sid": {"needs": "speaker", "vocabulary": SPEAKERS, "dev": {}}}})
    )
    return folder


def config_of(store: Path, manifests: Path, out: Path, method: str, **flags: object) -> Config:
    given: dict[str, object] = {
        "base": store / "base.pt",
        "tuned": [store / "asr", store / "sid"],
        "method": method,
        "data": manifests,
        "out": out,
        "statistics__utterances": 3,
        "statistics__device": "cpu",
        **flags,
    }
    return make_config(**{f"merge__{key}": value for key, value in given.items()})


def test_fisher_merges_by_the_gradients_of_each_run_s_own_task(store: Path, manifests: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = config_of(store, manifests, out, "fisher", statistics__utterances=1000, statistics__split="dev", alpha=0.5)
    random = torch.get_rng_state()
    with torch.no_grad():
        merge.run(config, ignore)
    assert torch.equal(random, torch.get_rng_state())
    record = json.loads((out / "merge.json").read_text())
    assert record["statistics"]["kind"] == "fisher"
    assert record["statistics"]["split"] == "dev"
    asr, sid = record["measured"]
    assert (asr["asr_utterances"], sid["sid_utterances"]) == ("4", "4")
    measured = [read_tensors(Path(each["file"]))[0] for each in (asr, sid)]

    # the second one by hand: mean of squared gradients of the cross entropy, then of norm 1 over the model
    tuned = build_encoder(read_encoder(store / "sid"), device=torch.device("cpu"))
    head = TASKS.get("sid").head(tuned.width, 2)
    kept = torch.load(store / "sid" / "best" / "heads.pt")
    head.load_state_dict({key.removeprefix("sid."): each for key, each in kept.items()})
    head.eval()
    parameter = dict(tuned.model.named_parameters())[MATRIX]
    total = torch.zeros_like(parameter)
    for each in read_manifest(manifests, "dev"):
        encoded = tuned([read_waveform(each)])
        logits = head(encoded.last, encoded.frame_counts)
        loss = F.cross_entropy(logits, torch.tensor([SPEAKERS.index(str(each.speaker))]))
        total += torch.autograd.grad(loss, parameter)[0] ** 2 / 4
    expected = (total / float(sid["sid_norm"])).detach().numpy()
    np.testing.assert_allclose(measured[1][MATRIX], expected, rtol=1e-3, atol=1e-9)
    assert np.sqrt(sum((each.astype(np.float64) ** 2).sum() for each in measured[1].values())) == pytest.approx(1)
    assert not any(name.startswith("feature_extractor") for name in measured[1])  # nobody has changed the CNN

    base, one, other = (read_encoder(store / each).arrays[MATRIX] for each in ("base.pt", "asr", "sid"))
    first, second = (each[MATRIX] for each in measured)
    merged = (first * one + second * other) / (first + second)
    found = read_encoder(out).arrays[MATRIX]
    np.testing.assert_allclose(found, base + 0.5 * (merged - base), rtol=0, atol=1e-6)


def test_regmean_measures_once_and_needs_no_labels(store: Path, manifests: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pt"  # no head beside it
    shutil.copy(store / "sid" / "best" / "encoder.pt", bare)
    out = tmp_path / "out"
    config = config_of(store, manifests, out, "regmean", tuned=[store / "asr", bare], alphas="0.5,1")
    events: list[Event] = []
    merge.run(config, events.append)
    assert [each.what for each in events if isinstance(each, Started) and each.what.startswith("inputs")] == [
        f"inputs of {store / 'asr' / 'best' / 'encoder.pt'}",
        f"inputs of {bare}",
    ]
    record = json.loads((out / "alpha-1" / "merge.json").read_text())
    grams = [read_tensors(Path(each["file"]))[0][MATRIX].astype(np.float64) for each in record["measured"]]
    first, second = (
        0.9 * gram + 0.1 * np.diag(np.diag(gram)) + 0.001 * np.diag(gram).mean() * np.eye(len(gram)) for gram in grams
    )
    one, other = (read_encoder(each).arrays[MATRIX] for each in (store / "asr", bare))
    expected = (one @ first + other @ second) @ np.linalg.inv(first + second)
    np.testing.assert_allclose(read_encoder(out / "alpha-1").arrays[MATRIX], expected, rtol=0, atol=1e-5)

    def measured_again() -> list[str]:
        shutil.rmtree(out / "alpha-1")
        events.clear()
        merge.run(config, events.append)
        return [each.what for each in events if isinstance(each, Started) and each.what.startswith("inputs")]

    assert measured_again() == []
    file = Path(record["measured"][1]["file"])
    content = file.read_bytes()
    for damaged in (content[:-1], content[:-100] + b"?" * 100):
        file.write_bytes(damaged)
        assert measured_again() == [f"inputs of {bare}"]
        assert Note(f"{file}: is not what was written, so it is measured again", important=True) in events
        assert file.read_bytes() == content
    with pytest.raises(RequestError, match="holds another merge: statistics"):
        merge.run(config_of(store, manifests, out, "regmean", tuned=[store / "asr", bare], alphas="0.5,1",
                            statistics__utterances=2), ignore)  # fmt: skip


def test_each_model_is_measured_on_its_own_manifests_unless_others_are_named(
    store: Path, manifests: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(manifests, other)

    def said(data: list[Path]) -> str:
        events: list[Event] = []
        evaluate = {"evaluate__data": other}
        config = config_of(store, manifests, tmp_path / "out", "regmean", data=data).model_copy(
            update={"evaluate": make_config(**evaluate).evaluate}
        )
        merge.run(config, events.append, plan_only=True)
        return next(each.text for each in events if isinstance(each, Note) and "measures" in each.text)

    assert f"train in {manifests} and {other}:" in said([])  # of `sid` nobody knows what it was tuned on
    assert f"train in {other}:" in said([other])
    assert f"train in {other} and {manifests}:" in said([other, manifests])
    with pytest.raises(RequestError, match=r"must be one folder, or one per tuned model \(2\), got 3"):
        said([other] * 3)


def test_each_model_is_measured_on_utterances_of_the_lengths_it_was_tuned_on(
    store: Path, manifests: Path, tmp_path: Path
) -> None:
    shutil.copytree(store / "asr", tmp_path / "asr")
    run = tmp_path / "asr" / "config.yaml"
    run.write_text(run.read_text().replace("min_seconds: 1.0", "min_seconds: 50.0"))
    config = config_of(store, manifests, tmp_path / "out", "regmean", tuned=[tmp_path / "asr", store / "sid"])
    with pytest.raises(RequestError, match=r"shorter than min_seconds \(50 s\)"):
        merge.run(config, ignore)
    asked = config.model_copy(update={"finetune": make_config(finetune__min_seconds=0.1).finetune})
    merge.run(asked, ignore)  # the section comes before the runs
    statistics = json.loads((tmp_path / "out" / "merge.json").read_text())["statistics"]
    assert statistics["min_seconds"] == [0.1, 0.1]


def test_a_plan_says_what_will_be_measured_and_reads_headers_only(store: Path, manifests: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    events: list[Event] = []
    linear = merge.run(config_of(store, manifests, out, "linear", data=[]), ignore, plan_only=True)
    result = merge.run(config_of(store, manifests, out, "regmean"), events.append, plan_only=True)
    (said,) = [each.text for each in events if isinstance(each, Note) and "measures" in each.text]
    assert "inner products of the inputs" in said
    assert f"at most 3 utterances of train in {manifests}" in said
    assert result.data["memory_bytes"] > linear.data["memory_bytes"]
    assert not out.exists()


def test_a_model_without_a_head_has_no_fisher_information(store: Path, manifests: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pt"
    shutil.copy(store / "sid" / "best" / "encoder.pt", bare)
    for plan_only in (True, False):
        with pytest.raises(RequestError) as caught:
            merge.run(config_of(store, manifests, tmp_path / "out", "fisher", tuned=[store / "asr", bare]), ignore,
                      plan_only=plan_only)  # fmt: skip
        assert caught.value.message == (
            f"{bare}: must lie in a run folder of speechft with its head (heads.pt), has none beside"
        )
    assert not (tmp_path / "out").exists()


def test_manifests_without_the_head_s_classes_are_refused(store: Path, manifests: Path, tmp_path: Path) -> None:
    shutil.copytree(store / "sid", tmp_path / "sid")
    note = tmp_path / "sid" / "best" / "heads.json"
    facts = json.loads(note.read_text())
    facts["tasks"]["sid"]["vocabulary"] = ["stranger0", "stranger1"]
    note.write_text(json.dumps(facts))
    with pytest.raises(RequestError, match="must have speaker of the classes that the head knows"):
        merge.run(
            config_of(store, manifests, tmp_path / "out", "fisher", tuned=[store / "asr", tmp_path / "sid"]), ignore
        )
    assert not list((tmp_path / "out").rglob("*.pt"))


def test_targets_are_where_the_head_found_them(store: Path, manifests: Path, tmp_path: Path) -> None:
    shutil.copytree(store / "sid", tmp_path / "sid")
    note = tmp_path / "sid" / "best" / "heads.json"
    facts = json.loads(note.read_text())
    facts["tasks"]["sid"]["needs"] = "text"
    note.write_text(json.dumps(facts))
    with pytest.raises(RequestError, match="must have text of the classes that the head knows"):
        merge.run(
            config_of(store, manifests, tmp_path / "out", "fisher", tuned=[store / "asr", tmp_path / "sid"]), ignore
        )
    assert json.loads((store / "asr" / "best" / "heads.json").read_text())["tasks"]["asr"]["needs"] == "text"


def test_manifests_that_nothing_needs_and_statistics_that_nobody_measures_are_refused(
    store: Path, manifests: Path, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"merge\.data: is for merge\.greedy and for methods that measure"):
        merge.run(config_of(store, manifests, tmp_path / "out", "linear"), ignore)
    from speechft_cli.engines.evaluate.grid import grid_candidates

    with pytest.raises(ConfigError, match="fisher measures the tuned models, which only `speechft merge` does"):
        grid_candidates(config_of(store, manifests, tmp_path / "out", "fisher"), ignore)
    assert not (tmp_path / "out").exists()
