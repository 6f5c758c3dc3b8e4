"""Drift from files to files, on a true tiny encoder and speech without labels."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.engines import evaluate, merge
from speechft_cli.errors import RequestError
from speechft_cli.events import Event, Result, Started, Table, ignore
from speechft_cli.reporting.drift import Drift, by_encoder, mean_drift, read_drift
from tests.conftest import make_config
from tests.manifest_files import write_manifest

#: Probes of which nothing is asked but that they are there.
QUICK = {
    "evaluate__steps": {"sid": 2, "pr": 2},
    "evaluate__learning_rates": {"sid": [0.01], "pr": [0.01]},
    "evaluate__seeds": 1,
}


def noisy(tiny: EncoderCheckpoint, amount: float) -> EncoderCheckpoint:
    """The tiny encoder with noise on its Transformer layers."""
    random = torch.Generator().manual_seed(0)
    return tiny.with_weights(
        {
            name: tensor + amount * tensor.std() * torch.randn(tensor.shape, generator=random)
            if ".layers." in name and tensor.dim() == 2
            else tensor.clone()
            for name, tensor in tiny.weights.items()
        }
    )


@pytest.fixture
def experiment(tmp_path: Path, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path) -> Path:
    return what_stages_before_leave(tmp_path, tiny, tiny_file, manifests)


@pytest.fixture(scope="module")
def drifted(
    tmp_path_factory: pytest.TempPathFactory, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path
) -> tuple[Path, list[Event], Result]:
    """An experiment whose drift was measured, what was said meanwhile, and the result."""
    folder = what_stages_before_leave(tmp_path_factory.mktemp("drifted"), tiny, tiny_file, manifests)
    events: list[Event] = []
    return folder, events, evaluate.run(config(folder), events.append)


def what_stages_before_leave(within: Path, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path) -> Path:
    """Makes a run on asr whose best encoder is noisy, merged at 0, 0.5 and 1, and manifests without any label."""
    folder = within / "runs"
    converted.write(noisy(tiny, 0.5), folder / "finetune" / "best" / "encoder.pt")
    (folder / "finetune" / "run.json").write_text(json.dumps({"base": {"path": str(tiny_file)}, "task": "asr"}))
    merge.run(make_config(output_dir=folder, merge__base=tiny_file, merge__alphas="0,0.5,1"), ignore)
    for split in ("train", "dev", "test"):
        bare = [replace(each, text=None, phones=None, speaker=None) for each in read_manifest(manifests, split)]
        write_manifest(folder / "data", split, bare)
    return folder


def config(folder: Path, **changed: object) -> Config:
    flags = {"output_dir": folder, "evaluate__drift_only": True, "evaluate__device": "cpu", **changed}
    return make_config(**flags)


def measured(folder: Path) -> dict[str, list[Drift]]:
    return by_encoder(read_drift(folder / "evaluate" / "drift.jsonl"))


def rerun(folder: Path, **changed: object) -> list[str]:
    events: list[Event] = []
    evaluate.run(config(folder, **changed), events.append)
    return [event.what for event in events if isinstance(event, Started)]


def test_drift_needs_no_labels_and_grows_with_alpha(drifted: tuple[Path, list[Event], Result]) -> None:
    folder, events, result = drifted
    out = folder / "evaluate"
    assert result.output == str(out / "drift.html")
    assert "to try by drift: alpha-0.5" in result.summary
    assert [event.title for event in events if isinstance(event, Table)] == ["drift from base"]
    assert sorted(each.name for each in out.iterdir() if not each.name.startswith(".")) == [
        "drift-figures",
        "drift.html",
        "drift.jsonl",
        "drift.md",
    ]
    drift = measured(folder)
    assert list(drift) == ["base", "tuned", "alpha-0", "alpha-0.5", "alpha-1"]
    assert mean_drift(drift["base"]) == pytest.approx(0, abs=1e-6)
    assert mean_drift(drift["alpha-0"]) == pytest.approx(0, abs=1e-6)
    assert 0 < mean_drift(drift["alpha-0.5"]) < mean_drift(drift["tuned"])
    assert mean_drift(drift["alpha-1"]) == mean_drift(drift["tuned"])
    for label in ("alpha-0", "alpha-1"):  # where merged features are one end's
        assert [line.llfc for line in drift[label]] == pytest.approx([1.0] * 4, abs=1e-6)
        assert [line.variance for line in drift[label]] == pytest.approx([1.0] * 4, abs=1e-6)
    assert [line.relative for line in drift["alpha-0.5"]] == pytest.approx(
        [(line.relative or 0) / 2 for line in drift["tuned"]]
    )
    assert {line.utterances for lines in drift.values() for line in lines} == {4}  # dev
    assert json.loads(json.dumps(result.data))["suggested"]["alpha"] == 0.5


def test_what_is_measured_already_is_not_measured_again(
    drifted: tuple[Path, list[Event], Result], tmp_path: Path
) -> None:
    out = tmp_path / "again"
    shutil.copytree(drifted[0] / "evaluate", out)
    before = (out / "drift.jsonl").read_bytes()
    assert rerun(drifted[0], evaluate__out=out) == []
    assert (out / "drift.jsonl").read_bytes() == before
    lines = before.decode().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["label"] != "alpha-0.5"]
    (out / "drift.jsonl").write_text("".join(kept))
    assert rerun(drifted[0], evaluate__out=out) == ["alpha-0.5: drift"]
    assert (out / "drift.jsonl").read_bytes() == before
    assert len(rerun(drifted[0], evaluate__out=out, evaluate__drift_seconds=2)) == 5  # other speech


def test_drift_is_measured_again_when_recordings_were_mended_in_place(
    drifted: tuple[Path, list[Event], Result], tmp_path: Path
) -> None:
    shutil.copytree(drifted[0] / "data", tmp_path / "data")
    same = {"evaluate__out": tmp_path / "out", "evaluate__data": tmp_path / "data"}
    assert len(rerun(drifted[0], **same)) == 5
    # the manifests are what they were, the recordings another state of the same files
    (tmp_path / "data" / "prepare.json").write_text(json.dumps({"request_hash": "mended"}))
    assert len(rerun(drifted[0], **same)) == 5


def test_the_reports_of_drift_and_scores_do_not_touch_each_other(
    experiment: Path, tiny_file: Path, manifests: Path
) -> None:
    shutil.rmtree(experiment / "data")
    shutil.copytree(manifests, experiment / "data")
    models = {"base": tiny_file, "tuned": experiment / "finetune" / "best" / "encoder.pt"}
    only = {"evaluate__tasks": ["sid"], "evaluate__models": models, **QUICK}
    evaluate.run(config(experiment, evaluate__drift_only=False, **only), ignore)
    report = (experiment / "evaluate" / "report.md").read_bytes()
    assert b"## Drift" in report
    assert rerun(experiment, evaluate__models=models) == []
    assert (experiment / "evaluate" / "report.md").read_bytes() == report


def test_the_target_is_what_the_encoder_was_fine_tuned_on(experiment: Path, manifests: Path) -> None:
    shutil.rmtree(experiment / "data")
    shutil.copytree(manifests, experiment / "data")
    quick = {
        "evaluate__drift_only": False,
        "evaluate__drift_seconds": 0,
        "evaluate__tasks": ["sid", "pr"],
        **QUICK,
    }
    evaluate.run(config(experiment, **quick), ignore)
    page = (experiment / "evaluate" / "report.html").read_text()
    assert f"asr (what {experiment / 'finetune'} was fine-tuned on)" in page
    assert not (experiment / "evaluate" / "drift.jsonl").exists()
    result = evaluate.run(config(experiment, evaluate__target=["pr"], **quick), ignore)
    recommended = result.data["recommended"]
    assert isinstance(recommended, dict)
    assert (recommended["target"], recommended["others"]) == (("pr",), ("sid",))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"evaluate__drift_seconds": 0}, "drift_seconds"),
        ({"evaluate__models": {"mine": "tiny.pt", "other": "tiny.pt"}}, "must have an encoder called base"),
    ],
)
def test_drift_that_can_not_be_had_is_refused(
    experiment: Path, tiny_file: Path, changed: dict[str, object], message: str
) -> None:
    if "evaluate__models" in changed:
        changed = {"evaluate__models": {"mine": tiny_file, "other": tiny_file}}
    with pytest.raises(RequestError, match=message):
        evaluate.run(config(experiment, **changed), ignore)
    assert not (experiment / "evaluate").exists()
