"""The training loop: one for every task and every encoder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.batches import load_batches
from speechft_cli.data.utterance import Seconds
from speechft_cli.errors import SpeechftError
from speechft_cli.events import Advanced, Finished, Report, Started, TrainingStep
from speechft_cli.tasks.base import Metric, Task, Vocabulary
from speechft_cli.training.examples import Example
from speechft_cli.training.freezing import freeze, release
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.state import TrainingState

#: Called after an evaluation with the dev scores and whether they are the best so far; with None on an interruption.
Save = Callable[[Mapping[str, float] | None, bool], None]


@dataclass(frozen=True)
class LoopSettings:
    """Numbers the loop goes by.

    Attributes:
        learning_rate: Peak learning rate.
        gradient_clip: Largest gradient norm over all trained parameters.
        frozen_dropout: Whether dropout stays on inside the frozen encoder.
        batch_seconds: Most audio per batch, padding included [s].
        evaluate_every: Updates between evaluations on dev.
        log_every: Updates between log lines.
        workers: Processes that read audio.
        seed: Of the order of the data.
    """

    learning_rate: float
    gradient_clip: float
    frozen_dropout: bool
    batch_seconds: Seconds
    evaluate_every: int
    log_every: int
    workers: int
    seed: int


def train(
    state: TrainingState,
    *,
    task: Task,
    vocabulary: Vocabulary,
    examples: Sequence[Example],
    dev: Sequence[Example],
    schedule: StableSchedule,
    settings: LoopSettings,
    report: Report,
    log: Callable[[TrainingStep], None],
    save: Save,
    interruptible: Interruptible,
) -> None:
    """Trains from where `state` is to the end of `schedule`, or until it is interrupted.

    Args:
        state: Changed in place.
        task: What to train.
        vocabulary: Its classes.
        examples: The train split.
        dev: Scored every `evaluate_every` updates and at the end.
        schedule: When the encoder trains, and at which rate.
        settings: Everything else.
        report: Told about evaluations.
        log: Told every `log_every` updates.
        save: Told after every evaluation, and on an interruption.
        interruptible: Asked between updates.

    Raises:
        SpeechftError: A gradient is not finite; the message names the utterances.
    """
    if state.step >= schedule.steps:
        return  # resumed after the last update
    device = next(state.head.parameters()).device
    meter = _Meter()
    score = ""
    metric = task.metrics[0]
    _set_modes(state, schedule, settings)
    batches = load_batches(
        [example.utterance for example in examples],
        batch_seconds=settings.batch_seconds,
        seed=settings.seed,
        start=state.position,
        workers=settings.workers,
    )
    for position, batch in batches:
        if interruptible.received is not None:
            save(None, False)
            return
        if state.step == schedule.frozen_steps:
            _set_modes(state, schedule, settings)
        rate = settings.learning_rate * schedule.rate(state.step)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        waveforms = [waveform.to(device, non_blocking=True) for waveform in batch.waveforms]
        chosen = [examples[index] for index in batch.indices]
        # no graph is kept through a frozen encoder
        with torch.set_grad_enabled(not schedule.is_encoder_frozen(state.step)):
            encoded = state.encoder(waveforms)
        logits = state.head(encoded.last, encoded.frame_counts)
        loss = task.loss(logits, encoded.frame_counts, [example.target for example in chosen], vocabulary)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        trained = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
        norm = clip_grad_norm_(trained, settings.gradient_clip)
        if not bool(torch.isfinite(norm)):
            raise SpeechftError(
                f"step {state.step + 1}: the gradient must be finite, is {float(norm)}, for the utterances "
                + ", ".join(example.utterance.id for example in chosen),
                "lower finetune.learning_rate, or take these utterances out of the manifest",
            )
        state.optimizer.step()
        stage = schedule.stage(state.step)
        state.step += 1
        state.position = position
        meter.add(loss, sum(len(waveform) for waveform in waveforms) / SAMPLE_RATE)
        if state.step % settings.log_every == 0 or state.step == schedule.steps:
            log(meter.read(state.step, schedule.steps, stage, rate, float(norm), score))
        if state.step % settings.evaluate_every == 0 or state.step == schedule.steps:
            scores = evaluate(state, task, vocabulary, dev, report)
            is_best = is_improvement(scores, state.best, task.metrics)
            if is_best:
                state.best = dict(scores)
            score = f"{metric.title} {metric.format(scores[metric.name])}"
            save(scores, is_best)
            _set_modes(state, schedule, settings)
            meter.restart_clock()
        if state.step >= schedule.steps:
            return


def is_improvement(scores: Mapping[str, float], best: Mapping[str, float] | None, metrics: Sequence[Metric]) -> bool:
    """Whether `scores` beat `best` in the first metric, or in a later one where all before are equal.

    A score that is no number never beats anything.
    """
    if math.isnan(scores[metrics[0].name]):
        return False
    if best is None:
        return True
    for metric in metrics:
        value, other = scores[metric.name], best[metric.name]
        if value != other:
            return metric.is_better(value, other)
    return False


@torch.no_grad()
def evaluate(
    state: TrainingState, task: Task, vocabulary: Vocabulary, examples: Sequence[Example], report: Report
) -> Mapping[str, float]:
    """Returns the task's scores on `examples`, each utterance encoded alone so that padding has no say."""
    state.encoder.eval()
    state.head.eval()
    device = next(state.head.parameters()).device
    predictions: list[str] = []
    report(Started(f"dev at step {state.step}", len(examples), "utterances"))
    for done, example in enumerate(examples, start=1):
        encoded = state.encoder([read_waveform(example.utterance).to(device)])
        logits = state.head(encoded.last, encoded.frame_counts)
        predictions += task.predict(logits, encoded.frame_counts, vocabulary)
        report(Advanced(done))
    scores = task.score(predictions, [example.reference for example in examples])
    report(Finished(", ".join(f"{each.title} {each.format(scores[each.name])}" for each in task.metrics)))
    return scores


def _set_modes(state: TrainingState, schedule: StableSchedule, settings: LoopSettings) -> None:
    state.head.train()
    if schedule.is_encoder_frozen(state.step):
        freeze(state.encoder, with_dropout=settings.frozen_dropout)
    else:
        release(state.encoder)


class _Meter:
    """Mean loss and speed since the last log step; the loss stays on the device until it is read."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._audio = 0.0
        self._seconds = 0.0
        self._since = time.perf_counter()
        self._seconds_per_update = 0.0

    def add(self, loss: Tensor, audio: Seconds) -> None:
        """Counts one update."""
        self._losses.append(loss.detach())
        self._audio += audio
        now = time.perf_counter()
        self._seconds, self._since = self._seconds + now - self._since, now

    def restart_clock(self) -> None:
        """Leaves the time since the last update out: it went into an evaluation."""
        self._since = time.perf_counter()

    def read(
        self, step: int, steps: int, stage: str, learning_rate: float, gradient_norm: float, score: str
    ) -> TrainingStep:
        """Returns what happened since the last reading, and starts anew."""
        loss = float(torch.stack(self._losses).mean())
        audio_rate = self._audio / self._seconds
        # smoothed, so that the estimate does not jump with every long batch
        latest = self._seconds / len(self._losses)
        self._seconds_per_update = 0.7 * (self._seconds_per_update or latest) + 0.3 * latest
        self._losses, self._audio, self._seconds = [], 0.0, 0.0
        return TrainingStep(
            step=step,
            steps=steps,
            stage=stage,
            loss=loss,
            learning_rate=learning_rate,
            gradient_norm=gradient_norm,
            audio_rate=audio_rate,
            remaining=self._seconds_per_update * (steps - step),
            score=score,
        )
