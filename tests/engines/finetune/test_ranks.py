"""Two processes train as one does on the batches of both."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.batches import plan_epoch
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.engines import finetune
from speechft_cli.engines.finetune.jobs import check_jobs
from speechft_cli.engines.finetune.ranks import _free_port
from speechft_cli.errors import InterruptedRunError, SpeechftError
from speechft_cli.events import Event, TrainingStep, ignore
from speechft_cli.io.run_folder import read_metrics, read_run
from tests.conftest import config_for


def test_two_ranks_are_one_with_twice_the_batches(
    manifests: Path, tmp_path: Path, tiny: EncoderCheckpoint, hubert: EncoderFamily
) -> None:
    # ranks draw dropout of their own, so it is taken out to compare
    container = copy.deepcopy(dict(tiny.container))
    for name in ("dropout", "attention_dropout", "dropout_input"):
        container["model_cfg"][name] = 0.0  # type: ignore[index]
    converted.write(replace(tiny, container=container), tmp_path / "base.pt")
    settings: dict[str, object] = {
        "encoder__init": None,
        "encoder__size": None,
        "encoder__checkpoint": tmp_path / "base.pt",
        "finetune__task": "sid",
        "finetune__steps": 6,
        "finetune__frozen_share": 0.5,
        "finetune__batch_seconds": 3.0,
    }
    finetune.run(config_for(manifests, tmp_path / "one", **settings, finetune__batches_per_update=2), ignore)
    events: list[Event] = []
    result = finetune.run(config_for(manifests, tmp_path / "two", **settings, finetune__gpus=2), events.append)

    assert result.output == str(tmp_path / "two")
    assert read_run(tmp_path / "two")["ranks"] == 2
    assert [event.stage for event in events if isinstance(event, TrainingStep)][:4] == ["frozen"] * 3 + ["decay"]
    one, two = (read_encoder(tmp_path / name / "last", hubert).weights for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=2e-4, rtol=0, msg=name)
    assert any(not torch.equal(tensor, tiny.weights[name]) for name, tensor in two.items())
    alone, together = (
        [line["loss"] for line in read_metrics(tmp_path / name / "metrics.jsonl") if "loss" in line]
        for name in ("one", "two")
    )
    assert together == pytest.approx(alone, rel=1e-3)


def test_sigterm_reaches_both_ranks_and_one_rank_goes_on_from_what_they_saved(
    manifests: Path, tmp_path: Path, hubert: EncoderFamily
) -> None:
    out = tmp_path / "run"
    settings: dict[str, object] = {"finetune__task": "sid", "finetune__steps": 5, "finetune__batch_seconds": 3.0}
    heard: list[int] = []

    def stop_after_the_second_update(event: Event) -> None:
        if isinstance(event, TrainingStep):
            heard.append(event.step)
            if event.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match=r"interrupted at step \d of 5; the state is saved") as caught:
        finetune.run(config_for(manifests, out, **settings, finetune__gpus=2), stop_after_the_second_update)
    assert caught.value.exit_code == 143
    assert read_run(out)["status"] == "interrupted"
    before = torch.load(out / "last" / "state.pt")
    done = before["step"]
    assert done == heard[-1]
    finetune.run(config_for(manifests, out, **settings), ignore, resume=True)

    assert read_run(out)["status"] == "done"
    assert [line["step"] for line in read_metrics(out / "metrics.jsonl") if "loss" in line] == [1, 2, 3, 4, 5]
    # two batches an update until then, one after it, and an epoch has as many as a plan of it says
    (job,) = check_jobs(
        FinetuneSection(data=manifests, task="sid"), manifests, read_encoder(out / "base" / "encoder.pt", hubert)
    )
    durations = job.job.train.durations
    left = 2 * done + (5 - done)
    epoch = 0
    while left >= (count := len(plan_epoch(durations, batch_seconds=3.0, seed=1337, epoch=epoch))):
        left -= count
        epoch += 1
    assert torch.load(out / "last" / "state.pt")["positions"] == [[epoch, left]]


def test_a_signal_to_one_rank_stops_and_saves_all(manifests: Path, tmp_path: Path) -> None:
    settings: dict[str, object] = {"finetune__task": "sid", "finetune__steps": 9, "finetune__batch_seconds": 3.0}

    def stop_the_second(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 4:  # there is a best checkpoint
            (second,) = (each for each in multiprocessing.active_children() if each.name == "rank 1")
            second.terminate()

    with pytest.raises(InterruptedRunError, match=r"interrupted at step \d of 9; the state is saved"):
        finetune.run(config_for(manifests, tmp_path / "run", **settings, finetune__gpus=2), stop_the_second)
    assert read_run(tmp_path / "run")["status"] == "interrupted"


def test_a_rank_that_is_killed_ends_the_others_and_the_run_with_one_message(
    manifests: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, object] = {"finetune__task": "sid", "finetune__steps": 50, "finetune__batch_seconds": 3.0}

    def kill_one(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 1:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    with pytest.raises(SpeechftError, match=r"(?m)^rank [01]: the process ended with exit code -9$"):
        finetune.run(config_for(manifests, tmp_path / "run", **settings, finetune__gpus=2), kill_one)
    assert not multiprocessing.active_children()
    assert "Traceback" not in capfd.readouterr().err


def test_of_the_ranks_that_a_launcher_starts_the_first_speaks(manifests: Path, tmp_path: Path) -> None:
    words = ["finetune", "--data", manifests, "--task", "sid", "--init", "random", "--size", "tiny", "--device", "cpu"]
    command = [sys.executable, "-m", "speechft_cli", *map(str, words), "--set", "finetune.batch_seconds=3"]

    def say(*more: str) -> list[tuple[int, str, str]]:
        address = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
        ranks = [
            subprocess.Popen(
                [*command, *more],
                env={**os.environ, **address, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        said = [rank.communicate(timeout=120) for rank in ranks]
        return [(rank.returncode, *each) for rank, each in zip(ranks, said, strict=True)]

    first, second = say("--out", str(tmp_path / "run"), "--dry-run")
    # twelve utterances of more than a second, two a batch, two ranks
    assert first[0] == 0
    assert " 3 steps per epoch" in first[1]
    assert second == (0, "", "")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    first, second = say("--out", str(tmp_path / "run"))
    assert first[:2] == (2, "")
    assert first[2].startswith(f"error: {tmp_path / 'run'}: holds a fine-tuning run already\n")
    assert second == (2, "", "")


def test_ctrl_c_while_ranks_start_is_one_message(manifests: Path, tmp_path: Path) -> None:
    words = ["finetune", "--data", manifests, "--task", "sid", "--init", "random", "--size", "tiny", "--gpus", "2"]
    command = [
        sys.executable,
        "-m",
        "speechft_cli",
        *map(str, words),
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "run"),
    ]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while (children := _spawned_by(run.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert children == 2
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
    output, errors = run.communicate(timeout=60)

    assert (run.returncode, output) == (130, "")
    assert errors.startswith("stopped: interrupted before the first update of this start\nhint: ")
    assert not (tmp_path / "run").exists()


def _spawned_by(parent: int) -> int:
    """How many ranks a process has started."""
    commands = [Path(f"/proc/{child}/cmdline") for child in _children(parent)]
    return sum("spawn_main" in command.read_text() for command in commands if command.exists())


def _children(parent: int) -> list[str]:
    return Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
