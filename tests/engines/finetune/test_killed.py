"""A run that is killed again and again ends with the bits of one that never was."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from speechft_cli.config.schema import Config
from speechft_cli.engines import finetune
from speechft_cli.events import Event, TrainingStep, ignore
from tests.conftest import config_for
from tests.engines.finetune.test_engine import flat

STEPS = 6


@dataclass(frozen=True)
class KilledAt:
    """A report that kills its own process at a step."""

    step: int

    def __call__(self, event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def start(config: Config, report: Callable[[Event], None], *, resume: bool) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("fork").Process(
        target=finetune.run, args=(config, report), kwargs={"resume": resume}
    )
    process.start()
    return process


def load_libraries() -> None:
    for name in ("peft", "torch._dynamo"):  # imported by the first update
        importlib.import_module(name)
    multiprocessing.set_start_method("fork", force=True)  # of readers of audio, as in a run that a shell starts


def kill_while_saving(process: multiprocessing.process.BaseProcess, folder: Path) -> None:
    deadline = time.monotonic() + 120
    while not any(folder.glob(".last.*")):
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.0005)  # a save takes many times that
    os.kill(process.pid or 0, signal.SIGKILL)


def kill_again_and_again(config: Config, out: Path, steps: Sequence[int]) -> None:
    process = start(config, KilledAt(steps[0]), resume=False)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process = start(config, ignore, resume=True)
    kill_while_saving(process, out)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process = start(config, KilledAt(steps[1]), resume=True)
    process.join()  # it may have been killed earlier in the run than the save before


@pytest.fixture(scope="module")
def untrained() -> Iterator[ProcessPoolExecutor]:
    """A process to fork runs from: it loads libraries once and never trains: autograd's threads would stay behind."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=load_libraries) as pool:
        yield pool


@pytest.mark.parametrize(
    "flags",
    [
        {
            "finetune__task": "pr",
            "finetune__workers": 1,
            "finetune__batches_per_update": 2,
            "finetune__save_every": 2,
        },
        {
            "finetune__tasks": {"sid": 2.0, "pr": 1.0},
            "finetune__strategy": "dora",
            "finetune__precision": "bf16",
            "finetune__save_every": 1,
            "finetune__frozen_share": 0.25,
        },
    ],
    ids=["accumulation and a worker", "two tasks, DoRA, bf16"],
)
def test_kills_at_random_steps_and_in_the_middle_of_a_save_change_no_bit(
    manifests: Path, tmp_path: Path, flags: dict[str, object], untrained: ProcessPoolExecutor
) -> None:
    settings = {"finetune__steps": STEPS, "finetune__evaluate_every": 3, "finetune__batch_seconds": 3.0, **flags}
    finetune.run(config_for(manifests, tmp_path / "whole", **settings), ignore)
    out = tmp_path / "killed"
    config = config_for(manifests, out, **settings)
    steps = sorted(random.Random(str(flags)).sample(range(1, STEPS), 2))
    untrained.submit(kill_again_and_again, config, out, steps).result()
    finetune.run(config, ignore, resume=True)

    for part in ("last/encoder.pt", "last/state.pt", "best/encoder.pt", "best/heads.pt"):
        expected, found = (torch.load(tmp_path / name / part) for name in ("whole", "killed"))
        assert flat(found) == flat(expected), part
    assert sorted(path.name for path in out.rglob(".*")) == [".lock"]
