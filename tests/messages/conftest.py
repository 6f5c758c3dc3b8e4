"""The folder in which every mistake is made: a few small files, some of them broken on purpose."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor
from typer.testing import CliRunner

from speechft_cli.cli.app import app
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import random_checkpoint
from tests.manifest_files import write_manifest


class Stranger:
    """A type that only code of its author's can restore."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("what a checkpoint must not do",))


@pytest.fixture(scope="session")
def mistakes(tiny: EncoderCheckpoint, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoders, manifests, recordings and a finished run, under the names that the catalogue uses."""
    folder = tmp_path_factory.mktemp("mistakes")
    _encoders(folder, tiny)
    _manifests(folder, manifests)
    _recordings(folder)
    _run(folder)
    return folder


def _encoders(folder: Path, tiny: EncoderCheckpoint) -> None:
    def write(name: str, changes: Mapping[str, Tensor]) -> None:
        converted.write(tiny.with_weights({**tiny.weights, **changes}), folder / name)

    weight = tiny.weights["encoder.layers.0.fc1.weight"]
    write("tiny.pt", {})
    write("tuned.pt", {"encoder.layers.0.fc1.weight": weight + 0.01})
    write("nan.pt", {"encoder.layers.0.fc1.weight": torch.full_like(weight, math.nan)})
    write("narrow.pt", {"encoder.layers.0.fc1.weight": weight[:-1]})
    converted.write(random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=1), folder / "unrelated.pt")
    converted.write(random_checkpoint(ENCODERS.get("wavlm"), "tiny", seed=0), folder / "wavlm.pt")
    upstream = {f"model.{name}": tensor for name, tensor in tiny.weights.items()}
    torch.save({"Args": argparse.Namespace(), "Upstream": upstream}, folder / "run.ckpt")
    torch.save({"Args": Stranger(), "Upstream": upstream}, folder / "stranger.pt")
    torch.save(torch.zeros(3), folder / "tensor.pt")
    torch.save({"weights": {"a": torch.zeros(3)}}, folder / "nothing.pt")
    whole = (folder / "tiny.pt").read_bytes()
    (folder / "half.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "text.pt").write_text("404: Not Found\n", encoding="utf-8")
    (folder / "hf").mkdir()
    (folder / "hf" / "config.json").write_text(json.dumps({"model_type": "hubert"}), encoding="utf-8")
    (folder / "bert").mkdir()
    (folder / "bert" / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    (folder / "empty").mkdir()


def _manifests(folder: Path, manifests: Path) -> None:
    shutil.copytree(manifests, folder / "data")
    for name, splits in (
        ("silent", ("train", "dev", "test")),
        ("untested", ("train", "dev")),
        ("only-train", ("train",)),
    ):
        for split in splits:
            utterances = list(read_manifest(folder / "data", split))
            if name == "silent":
                utterances = [dataclasses.replace(each, text=None, phones=None, speaker=None) for each in utterances]
            write_manifest(folder / name, split, utterances)
    shutil.copytree(folder / "data", folder / "moved", ignore=shutil.ignore_patterns("audio"))
    shutil.copytree(folder / "data", folder / "damaged", ignore=shutil.ignore_patterns("audio", "*.index"))
    (folder / "damaged" / "cuts-train.jsonl.gz").write_bytes(b"no gzip")


def _recordings(folder: Path) -> None:
    wave = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    for name in ("one.wav", "one.flac", "two.wav"):
        (folder / "recordings").mkdir(exist_ok=True)
        soundfile.write(folder / "recordings" / name, wave, 16_000)
    (folder / "list.jsonl").write_text(
        '{"audio": "recordings/one.wav", "split": "train"}\n'
        '{"audio": "recordings/two.wav", "split": "trian"}\n'
        '{"text": "no recording"}\n'
        '["no", "object"]\n',
        encoding="utf-8",
    )
    (folder / "list.csv").write_text("audio,text\nrecordings/one.wav\n", encoding="utf-8")
    (folder / "gone.csv").write_text("audio,text\nnone.wav,HELLO\n", encoding="utf-8")
    (folder / "only-a-header.csv").write_text("audio,text\n", encoding="utf-8")


def _run(folder: Path) -> None:
    flags = ["--encoder", folder / "tiny.pt", "--data", folder / "data", "--out", folder / "run", "--steps", 1]
    sets = ["--set", "finetune.workers=0", "--device", "cpu"]
    result = CliRunner().invoke(app, ["-q", "finetune", *map(str, flags), *sets])
    assert result.exit_code == 0, result.stderr
