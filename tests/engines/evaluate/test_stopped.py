"""An evaluation that was stopped, that two processes share or whose cache was spoilt: the same bytes in the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from speechft_cli.cli.app import app
from speechft_cli.config.load import load_config
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.engines import evaluate
from speechft_cli.errors import InterruptedRunError
from speechft_cli.events import Advanced, Event, ignore
from speechft_cli.reporting.scores import read_scores
from tests.engines.evaluate.test_engine import nudged

_PATIENCE = 120.0  # seconds


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path
) -> Path:
    """A YAML: two encoders, a task of each kind."""
    folder = tmp_path_factory.mktemp("stopped")
    converted.write(nudged(tiny, 0.5), folder / "other.pt")
    (folder / "speechft.yaml").write_text(
        f"""
evaluate:
  data: {manifests}
  models: {{base: {tiny_file}, other: {folder / "other.pt"}}}
  tasks: [sid, pr]
  steps: {{sid: 20, pr: 8}}
  seeds: 2
  drift_seconds: 0
  device: cpu
"""
    )
    return folder / "speechft.yaml"


@pytest.fixture(scope="module")
def whole(settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process that nothing happens to writes."""
    out = tmp_path_factory.mktemp("whole")
    run(settings, out)
    return out


def run(settings: Path, out: Path, report: Callable[[Event], None] = ignore) -> None:
    evaluate.run(load_config(settings, flags={"evaluate.out": out}).config, report)


def written(out: Path) -> dict[str, bytes]:
    """Scores and predictions, byte for byte."""
    files = [out / "scores.jsonl", *(out / "predictions").iterdir()]
    return {path.name: path.read_bytes() for path in files}


def cached(out: Path) -> dict[tuple[str, str], Tensor]:
    """(Store, name) → features."""
    shards = (out / "cache").rglob("*.safetensors")
    return {(shard.parent.name, name): each for shard in shards for name, each in load_file(shard).items()}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_encoding_is_told_and_the_next_run_ends_with_the_same_bytes(
    settings: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    def terminate(event: Event) -> None:
        if isinstance(event, Advanced) and event.done >= 2:  # utterances of the first encoder
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptedRunError, match="the same command goes on from there") as caught:
        run(settings, tmp_path, terminate)
    assert caught.value.exit_code == 128 + number
    assert not (tmp_path / "scores.jsonl").exists()
    run(settings, tmp_path)
    assert written(tmp_path) == written(whole)


def test_sigterm_after_a_first_score_ends_the_command_with_143_and_the_same_command_finishes_it(
    settings: Path, whole: Path, tmp_path: Path
) -> None:
    def terminate() -> None:
        deadline = time.monotonic() + _PATIENCE
        while not (tmp_path / "scores.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGTERM)

    command = ["evaluate", "-c", str(settings), "--out", str(tmp_path)]
    watch = threading.Thread(target=terminate)
    watch.start()
    stopped = CliRunner().invoke(app, command)
    watch.join()
    assert stopped.exit_code == 143
    assert "the same command goes on from there" in " ".join(stopped.stderr.split())
    first = read_scores(tmp_path / "scores.jsonl")
    assert ("base", "pr") in {(score.label, score.task) for score in first}
    assert len(first) < len(read_scores(whole / "scores.jsonl"))
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert "pairs of encoder and task are taken from" in again.stderr
    assert written(tmp_path) == written(whole)


@pytest.mark.slow  # three interpreters that load torch
def test_two_processes_under_torchrun_write_what_one_writes(settings: Path, whole: Path, tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "speechft_cli", "evaluate", "-c", str(settings), "--out", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * _PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == str(tmp_path / "report.html")  # the first process speaks for all
    assert written(tmp_path) == written(whole)
    assert cached(tmp_path).keys() > cached(whole).keys()  # hidden states too, for the process that trains
    assert all(each.equal(cached(tmp_path)[name]) for name, each in cached(whole).items())


def test_damaged_features_and_those_of_another_encoder_are_made_anew(
    settings: Path, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole / "cache", tmp_path / "cache")
    mine, other = sorted((tmp_path / "cache").rglob("*.safetensors"))  # one of each encoder
    content = bytearray(mine.read_bytes())
    other.write_bytes(content)
    content[-5] ^= 1
    mine.write_bytes(content)
    run(settings, tmp_path)
    assert written(tmp_path) == written(whole)
    good, made = cached(whole), cached(tmp_path)
    assert made.keys() == good.keys()
    assert all(each.equal(made[name]) for name, each in good.items())
