"""Mean loss and speed between two log steps."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from speechft_cli.data.utterance import Seconds
from speechft_cli.events import TrainingStep
from speechft_cli.training.ranks import Ranks


class Meter:
    """Losses and norms stay on the device until they are read."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._audio = 0.0
        self._seconds = 0.0
        self._waited = 0.0
        self._since = time.perf_counter()
        self._seconds_per_update = 0.0
        self._updates = 0
        self._paused = 0.0

    def waited(self) -> None:
        """Counts the time since the last call of any method as waiting for data."""
        now = time.perf_counter()
        self._waited += now - self._since

    def add(self, loss: Tensor, audio: Seconds) -> None:
        """Counts one update."""
        self._losses.append(loss)
        self._audio += audio
        now = time.perf_counter()
        self._seconds, self._since = self._seconds + now - self._since, now

    def restart_clock(self) -> None:
        """Leaves the time since the last update out of the speed: it went into an evaluation."""
        now = time.perf_counter()
        self._paused, self._since = self._paused + now - self._since, now

    def read(
        self,
        *,
        step: int,
        steps: int,
        stage: str,
        learning_rate: float,
        gradient_norm: Tensor,
        score: str,
        best: str,
        skipped: int,
        ranks: Ranks,
    ) -> TrainingStep:
        """Returns what happened since the last reading, on all ranks, and starts anew."""
        mean = torch.stack(self._losses).nanmean()
        ranks.average([mean])
        loss = float(mean)
        now = time.perf_counter()  # reading the loss waited for the device to come here
        self._seconds, self._since = self._seconds + now - self._since, now
        audio_rate = self._audio * ranks.world / self._seconds
        # smoothed, so that the estimate does not jump with every long batch
        latest = self._seconds / len(self._losses)
        self._seconds_per_update = 0.7 * (self._seconds_per_update or latest) + 0.3 * latest
        self._updates += len(self._losses)
        seconds = self._seconds_per_update + self._paused / self._updates  # evaluations are still to come, too
        waiting = self._waited / self._seconds
        self._losses, self._audio, self._seconds, self._waited = [], 0.0, 0.0, 0.0
        return TrainingStep(
            step=step,
            steps=steps,
            stage=stage,
            loss=loss,
            learning_rate=learning_rate,
            gradient_norm=float(gradient_norm),
            audio_rate=audio_rate,
            remaining=seconds * (steps - step),
            score=score,
            best=best,
            waiting=waiting,
            skipped=skipped,
        )
