"""What a log line says of loss, speed, waiting and the time that is left, computed by hand from a clock that is set."""

from __future__ import annotations

import time

import pytest
import torch

from speechft_cli.events import TrainingStep
from speechft_cli.training.meter import Meter
from speechft_cli.training.ranks import Ranks


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def read(meter: Meter, step: int) -> TrainingStep:
    return meter.read(
        step=step,
        steps=10,
        stage="hold",
        learning_rate=1e-4,
        gradient_norm=torch.tensor(2.5),
        score="",
        best="",
        skipped=0,
        ranks=Ranks(),
    )


def update(meter: Meter, clock: Clock, *, waiting: float, computing: float, loss: float, audio: float) -> None:
    clock.now += waiting
    meter.waited()
    clock.now += computing
    meter.add(torch.tensor(loss), audio)


def test_a_log_line_tells_of_the_updates_since_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter()
    update(meter, clock, waiting=1.0, computing=2.0, loss=4.0, audio=60.0)
    update(meter, clock, waiting=0.0, computing=3.0, loss=1.0, audio=20.0)
    clock.now += 2.0  # until the device has computed what is read
    first = read(meter, 2)
    # 8 s for 80 s of audio, 1 s of them waiting; 4 s per update, 8 updates to come
    assert (first.loss, first.audio_rate, first.waiting, first.remaining) == (2.5, 10.0, 0.125, 32.0)
    assert (first.step, first.steps, first.gradient_norm) == (2, 10, 2.5)
    update(meter, clock, waiting=0.5, computing=1.5, loss=7.0, audio=30.0)
    second = read(meter, 3)
    # the estimate follows slowly: 0.7 of 4 s and 0.3 of 2 s, for 7 updates
    assert (second.loss, second.audio_rate, second.waiting) == (7.0, 15.0, 0.25)
    assert second.remaining == pytest.approx(3.4 * 7)


def test_an_evaluation_counts_for_the_time_that_is_left_and_not_for_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter()
    update(meter, clock, waiting=0.0, computing=2.0, loss=1.0, audio=10.0)
    clock.now += 6.0
    meter.restart_clock()
    update(meter, clock, waiting=0.0, computing=2.0, loss=1.0, audio=10.0)
    line = read(meter, 2)
    # 2 s per update, and 6 s of evaluation for every two of them
    assert (line.audio_rate, line.waiting, line.remaining) == (5.0, 0.0, (2.0 + 3.0) * 8)


def test_a_loss_that_is_no_number_is_left_out_of_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter()
    for loss in (3.0, float("nan"), 5.0):
        update(meter, clock, waiting=0.0, computing=1.0, loss=loss, audio=1.0)
    assert read(meter, 3).loss == 4.0
