"""The training loop: one for every task, every encoder, every strategy and any number of ranks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from speechft_cli.data.batches import Planned, plan_updates
from speechft_cli.data.loading import Batch, load_updates, lost_reader_named
from speechft_cli.data.utterance import Seconds
from speechft_cli.events import Report, TrainingStep
from speechft_cli.training.evaluation import evaluate, is_improvement
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.job import Job
from speechft_cli.training.meter import Meter
from speechft_cli.training.preflight import out_of_memory_named, preflight
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.state import TrainingState
from speechft_cli.training.update import make_update

#: Called with the dev scores of every job after an evaluation, with None when the state is saved for other reasons,
#: and with whether the scores are the best so far.
Save = Callable[[Mapping[str, Mapping[str, float]] | None, bool], None]


@dataclass(frozen=True)
class LoopSettings:
    """Numbers the loop goes by.

    Attributes:
        learning_rate: Peak learning rate of the heads.
        encoder_learning_rate: Peak learning rate of the encoder.
        gradient_clip: Largest gradient norm over all trained parameters.
        frozen_dropout: Whether dropout stays on inside the frozen encoder.
        batch_seconds: Most audio per batch, padding included [s].
        batches_per_update: Batches whose gradients are accumulated on each rank.
        evaluate_every: Updates between evaluations on dev.
        save_every: Updates between checkpoints to resume from.
        log_every: Updates between log lines.
        workers: Processes that read audio, per rank.
        seed: Of everything random.
    """

    learning_rate: float
    encoder_learning_rate: float
    gradient_clip: float
    frozen_dropout: bool
    batch_seconds: Seconds
    batches_per_update: int
    evaluate_every: int
    save_every: int
    log_every: int
    workers: int
    seed: int


def train(
    state: TrainingState,
    *,
    jobs: Sequence[Job],
    schedule: StableSchedule,
    settings: LoopSettings,
    ranks: Ranks,
    report: Report,
    log: Callable[[TrainingStep], None],
    save: Save,
    interruptible: Interruptible,
) -> None:
    """Trains from where `state` is to the end of `schedule`, or until it is interrupted.

    Everything random in an update is drawn from seed, number of updates and rank, so that a resumed run needs to know
    nothing else to go on as if it had never stopped.

    Args:
        state: Changed in place.
        jobs: Tasks with their data; each update is of one of them. The first one's dev scores select checkpoints.
        schedule: When the encoder trains, and at which rate.
        settings: Everything else.
        ranks: The processes that train together.
        report: Told about evaluations.
        log: Told every `log_every` updates.
        save: Told after every evaluation, every `save_every` updates and on an interruption.
        interruptible: Asked after every update, and in an evaluation after every utterance.

    Raises:
        SpeechftError: A batch does not fit into memory, too many gradients were not finite, or the ranks no longer
            hold the same encoder.
    """
    metric = jobs[0].task.metrics[0]
    score = ""

    def pause(*, is_stopped: bool) -> None:
        nonlocal score
        state.skips.read(state.step, ranks)
        ranks.require_equal(state.encoder.weights(), step=state.step)
        scores = (
            _evaluate(state, jobs, settings, ranks, report, interruptible) if state.is_due and not is_stopped else None
        )
        is_best = False
        if scores is not None:
            state.is_due = False
            first = scores[jobs[0].task.name]
            if state.strategy.keeps_last:
                is_best = state.step == schedule.end
            else:
                is_best = is_improvement(first, state.best, jobs[0].task.metrics)
            if is_best:
                state.best = dict(first)
            score = f"{metric.title} {metric.format(first[metric.name])}"
        save(scores, is_best)

    if state.is_due:
        pause(is_stopped=False)
    if state.step >= schedule.end or state.is_due:
        return  # resumed after the last update, or interrupted again
    meter = Meter()
    preflight(state, jobs, schedule, batch_seconds=settings.batch_seconds)
    _set_modes(state, schedule, settings)
    ranks.require_equal(state.encoder.weights(), step=state.step)
    # closed at once, whatever ends the loop: reading processes must not outlive it
    with lost_reader_named(), contextlib.closing(_updates(state, jobs, settings, ranks)) as updates:
        for planned, batches in updates:
            meter.waited()
            if state.step == schedule.frozen_steps:
                _set_modes(state, schedule, settings)
            stage, share = schedule.stage(state.step), schedule.rate(state.step)
            state.set_rates(head=settings.learning_rate * share, encoder=settings.encoder_learning_rate * share)
            is_frozen = schedule.is_encoder_frozen(state.step)
            job, pieces = jobs[planned.source], [piece for batch in planned.batches for piece in batch]
            with out_of_memory_named(job, pieces, is_frozen=is_frozen, batch_seconds=settings.batch_seconds):
                loss, norm, audio = make_update(
                    state,
                    job,
                    batches,
                    is_frozen=is_frozen,
                    gradient_clip=settings.gradient_clip,
                    seed=settings.seed,
                    ranks=ranks,
                )
            state.step += 1
            state.positions = list(planned.positions)
            meter.add(loss, audio)
            is_over = state.step == schedule.end
            state.is_due = is_over or state.step % settings.evaluate_every == 0
            if state.step == schedule.frozen_steps + 1:
                ranks.require_equal(state.encoder.weights(), step=state.step)
            if state.step % settings.log_every == 0 or is_over:
                state.skips.read(state.step, ranks)
                log(
                    meter.read(
                        step=state.step,
                        steps=schedule.end,
                        stage=stage,
                        learning_rate=settings.learning_rate * share,
                        gradient_norm=norm,
                        score=score,
                        best="" if state.best is None else metric.format(state.best[metric.name]),
                        skipped=state.skips.count,
                        ranks=ranks,
                    )
                )
            is_stopped = ranks.any(interruptible.received is not None)
            if is_stopped or state.is_due or state.step % settings.save_every == 0:
                pause(is_stopped=is_stopped)
                _set_modes(state, schedule, settings)
                meter.restart_clock()
            if is_over or is_stopped or state.is_due:
                return


def _updates(
    state: TrainingState, jobs: Sequence[Job], settings: LoopSettings, ranks: Ranks
) -> Generator[tuple[Planned, tuple[Batch, ...]]]:
    sources = [job.source(settings.batch_seconds) for job in jobs]
    plan = partial(
        plan_updates,
        sources,
        seed=settings.seed,
        step=state.step,
        positions=tuple(state.positions),
        batches_per_update=settings.batches_per_update,
        rank=ranks.rank,
        world=ranks.world,
    )
    return load_updates(sources, plan, workers=settings.workers, pin_memory=state.device.type == "cuda")


def _evaluate(
    state: TrainingState,
    jobs: Sequence[Job],
    settings: LoopSettings,
    ranks: Ranks,
    report: Report,
    interruptible: Interruptible,
) -> dict[str, Mapping[str, float]] | None:
    """Dev scores of every job; None if interrupted."""
    scores = {}
    for job in jobs:
        own = evaluate(
            state.encoder,
            state.heads[job.task.name],
            job,
            step=state.step,
            batch_seconds=settings.batch_seconds,
            ranks=ranks,
            report=report,
            interruptible=interruptible,
        )
        if own is None:
            return None
        scores[job.task.name] = own
    return scores


def _set_modes(state: TrainingState, schedule: StableSchedule, settings: LoopSettings) -> None:
    state.set_modes(is_frozen=schedule.is_encoder_frozen(state.step), frozen_dropout=settings.frozen_dropout)
