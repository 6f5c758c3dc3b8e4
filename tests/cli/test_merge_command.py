"""`speechft merge`, as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder


@pytest.fixture
def pair(tiny: EncoderCheckpoint, tmp_path: Path) -> tuple[str, ...]:
    """The options that name a base and two models tuned from it, in the working directory."""
    converted.write(tiny, tmp_path / "base.pt")
    for seed, name in ((1, "a"), (2, "b")):
        generator = torch.Generator().manual_seed(seed)
        moved = {key: t + 0.01 * torch.randn(t.shape, generator=generator) for key, t in tiny.weights.items()}
        converted.write(tiny.with_weights(moved), tmp_path / f"{name}.pt")
    return ("merge", "--base", "base.pt", "--tuned", "a.pt")


def test_methods_parameters_and_filters_are_flags(speechft, pair: tuple[str, ...], tmp_path: Path) -> None:
    result = speechft(
        *pair, "--alphas", "0.5,1", "--method", "linear", "--method", "ties", "--parameter", "density=1", "--filter",
        "attention=0.5", "--filter", "layers 0-1=0,1", "--filter", "pos_conv=@0.25", "--out", "out", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    outputs = json.loads(result.stdout)["outputs"]
    assert [(each["variant"], each["alpha"]) for each in outputs] == [
        ("linear", 0.5),
        ("linear", 1.0),
        ("ties", 0.5),
        ("ties", 1.0),
    ]
    record = json.loads((tmp_path / "out" / "ties" / "alpha-0.5" / "merge.json").read_text())
    assert record["filters"] == [
        {"match": "attention", "scale": [0.5]},
        {"match": "layers 0-1", "scale": [0.0, 1.0]},
        {"match": "pos_conv", "alpha": [0.25]},
    ]
    one, other = (read_encoder(tmp_path / "out" / way / "alpha-1").weights for way in ("linear", "ties"))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor)


def test_the_plan_fits_eighty_columns_and_writes_nothing(speechft, pair: tuple[str, ...], tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = speechft(*pair, "--alphas", "0:1:0.25", "--filter", "layers=0,1", "--plan", "--out", "out")
    assert result.exit_code == 0
    assert sorted(tmp_path.iterdir()) == before
    lines = result.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0] == "Plan at alpha 1"
    assert any(line.split() == ["layers.1", "merge", "filter", "layers", "16", "793.1", "kB", "0.5"] for line in lines)
    assert lines[-1].startswith("merged encoders to write: 5 of 3.3 MB each, with ")


def test_v_shows_every_tensor_of_the_plan(speechft, pair: tuple[str, ...]) -> None:
    tensor = "keep final_proj.bias [128]: pre-training head, alpha 0"
    assert tensor in speechft("-v", *pair, "--plan").stderr
    assert tensor not in speechft(*pair, "--plan").stderr


def test_two_checkpoints_are_compared(speechft, pair: tuple[str, ...]) -> None:
    del pair
    result = speechft("merge", "--base", "base.pt", "--diff", "a.pt", "b.pt")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["part", "base", "base", "B", "vectors", "conflict"] in rows
    assert any(row[:1] == ["layers.2"] for row in rows)
    assert result.stdout.splitlines()[-1].startswith("distance ")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--filter", "attention=much"), "--filter: must have numbers, separated by commas, got 'attention=much'"),
        (("--alpha", "0.1", "--alpha", "0.1"), "merge.alphas: must name each alpha once, got 0.1 more than once"),
        (("--method", "ties", "--method", "ties"), "must name each once, got ties more than once"),
        (("--parameter", "wieght=1"), "did you mean 'weight'?"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_is_written(
    speechft, pair: tuple[str, ...], tmp_path: Path, flags: tuple[str, ...], message: str
) -> None:
    result = speechft(*pair, *flags, "--out", "out")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_alpha_given_once_is_one_merge_and_repeated_a_grid(speechft, pair: tuple[str, ...], tmp_path: Path) -> None:
    assert speechft(*pair, "--alpha", "0.5", "--out", "one").exit_code == 0
    assert (tmp_path / "one" / "encoder.pt").is_file()
    assert speechft(*pair, "--alpha", "0.25", "--alpha", "0.5", "--out", "grid").exit_code == 0
    assert sorted(each.name for each in (tmp_path / "grid").glob("alpha-*")) == ["alpha-0.25", "alpha-0.5"]
    (tmp_path / "c.yaml").write_text("merge: {alpha: 0.75}\n")
    assert speechft(*pair, "-c", "c.yaml", "--alpha", "0", "--alpha", "1", "--out", "two").exit_code == 0
    assert sorted(each.name for each in (tmp_path / "two").glob("alpha-*")) == ["alpha-0", "alpha-1"]


def test_a_whole_process_ends_with_its_exit_code_and_its_output(pair: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "speechft_cli", *pair]
    done = subprocess.run([*command, "--out", "out", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    again = [*command[:-1], "missing.pt", "--out", "other"]  # found out after torch was imported
    wrong = subprocess.run(again, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "missing.pt: must be a checkpoint" in wrong.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_merge_that_is_stopped_leaves_whole_alphas_and_goes_on(
    pair: tuple[str, ...], tmp_path: Path, how: signal.Signals
) -> None:
    command = [sys.executable, "-m", "speechft_cli", *pair, "--alphas", "0:1:0.005", "--out", "out"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "out").glob("alpha-*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(how)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    assert "Traceback" not in talk
    folders = [path for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert 0 < len(folders) < 201
    assert all((folder / "merge.json").is_file() for folder in folders)
    if how is signal.SIGINT:
        assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    command[command.index("0:1:0.005")] = "0:0.01:0.005"
    subprocess.run(command, check=True, capture_output=True)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
