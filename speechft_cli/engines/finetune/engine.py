"""Fine-tuning: base + manifests → run folder."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from speechft_cli.config.dump import config_yaml
from speechft_cli.config.schema import Config
from speechft_cli.encoders.formats import converted
from speechft_cli.engines.device import choose_device, with_memory
from speechft_cli.engines.finetune.jobs import left_out_notes, speaker_warnings
from speechft_cli.engines.finetune.outcome import best_outputs, run_result
from speechft_cli.engines.finetune.plan import plan_data, plan_table, plan_warnings
from speechft_cli.engines.finetune.ranks import run_on_ranks
from speechft_cli.engines.finetune.record import Diary, run_record, tracked_run
from speechft_cli.engines.finetune.request import FinetuneRequest, check_request, require_free
from speechft_cli.engines.finetune.start import adapt_encoder, first_state, last_state, loop_settings, targeted_jobs
from speechft_cli.engines.own_torch import own_torch
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import InterruptedRunError, SpeechftError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started, TrainingStep, ignore
from speechft_cli.io.atomic import remove_unfinished, write_text
from speechft_cli.io.lock import locked
from speechft_cli.io.records import now
from speechft_cli.io.run_folder import read_run, write_run
from speechft_cli.io.space import require_space
from speechft_cli.training.best import save_best
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.job import Job
from speechft_cli.training.kernels import attention_for_any_length
from speechft_cli.training.loop import train
from speechft_cli.training.ranks import Ranks, is_joining, joined
from speechft_cli.training.state import TrainingState, checkpoint_bytes, save_last

_GO_ON = "the same command with --resume goes on from there"
#: Before the first update, or by a second Ctrl-C while the first one's update or save was awaited.
_STOPPED = "interrupted; what came after the last checkpoint is not saved"


def run(config: Config, report: Report, *, resume: bool = False, dry_run: bool = False) -> Result:
    """Fine-tunes an encoder.

    Args:
        config: Needs `encoder`; `finetune` and `prepare` have defaults. With `finetune.gpus` above 1, processes are
            started, unless this is one of them.
        report: Told what happens.
        resume: Go on from the run folder's last checkpoint.
        dry_run: Show the plan and stop.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: The run failed.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP arrived; the state is saved.
    """
    folder = config.run_dir
    resume_from = folder if resume else None
    if config.finetune is not None and config.finetune.gpus > 1 and not dry_run and not is_joining():
        check_request(config, report, resume_from=resume_from)  # said once, not by every process
        return run_on_ranks(partial(run, config, resume=resume), config.finetune.gpus, report)
    with joined() as ranks, contextlib.ExitStack() as stack:
        report = report if ranks.is_first else ignore
        with ranks.agreed():  # nobody writes before everybody has looked
            if not (resume or dry_run):
                require_free(folder)
            request = check_request(config, report, resume_from=resume_from)
        for each in request.checked:
            for note in left_out_notes(each, request.section):
                report(Note(note))
        for warning in (*plan_warnings(request), *speaker_warnings(request.data, request.checked)):
            report(Note(warning, important=True))
        device = torch.device("cpu") if dry_run else choose_device(request.section.device)
        stack.enter_context(own_torch(device))
        if dry_run:
            state = first_state(request, request.base, device)
            report(plan_table(request, state, ranks=max(ranks.world, request.section.gpus), with_activations=True))
            return Result(
                "planned; nothing was written",
                str(folder),
                "the same command without --dry-run",
                {"plan": plan_data(request)},
            )
        with ranks.agreed():
            if ranks.is_first:
                stack.enter_context(locked(folder, report))
        if resume and read_run(folder)["status"] == "done":
            return run_result(request, folder)
        return _train(request, report, folder, ranks, device, resume=resume)


def _train(
    request: FinetuneRequest, report: Report, folder: Path, ranks: Ranks, device: torch.device, *, resume: bool
) -> Result:
    schedule, base = request.schedule, request.base
    report = with_memory(report, device)
    if ranks.is_first:
        for part in ("best", "last"):
            remove_unfinished(folder / part)
    ranks.wait()
    # a run that was killed before its first checkpoint begins again
    resume = resume and (folder / "last" / "state.pt").is_file()
    state = last_state(request, folder / "last", device) if resume else first_state(request, base, device)
    adapt_encoder(state.encoder, request.section)
    report(plan_table(request, state, ranks=ranks.world))
    record: dict[str, object] = {}
    if ranks.is_first:
        require_space(folder, 2 * checkpoint_bytes(state))
        if not resume:
            write_text(folder / "config.yaml", config_yaml(request.config))
            if base.path is None:
                converted.write(base, folder / "base" / "encoder.pt")
        record = run_record(request, folder, ranks, device)
        write_run(folder, {**record, "status": "running"})
    status = "failed"
    try:
        with stoppable(_STOPPED, hint=_GO_ON):
            jobs = targeted_jobs(request, folder, device, ranks, report)
            with attention_for_any_length(), Interruptible() as interruptible:
                _loop(request, state, jobs, folder, ranks, report, interruptible)
        if state.step < schedule.end or state.is_due:
            raise InterruptedRunError(
                f"interrupted at step {state.step} of {schedule.end}; the state is saved in {folder / 'last'}",
                _GO_ON,
                exit_code=128 + (interruptible.received or signal.SIGTERM),  # another rank's
            )
        metric = request.checked[0].job.task.metrics[0]
        if not (folder / "best" / "encoder.pt").is_file():
            raise SpeechftError(f"{folder}: {metric.title} on dev was never a number, so there is no best checkpoint")
        status = "done"
    except InterruptedRunError:
        status = "interrupted"
        raise
    finally:
        if ranks.is_first:
            outputs = best_outputs(request, folder) if status == "done" else {}
            # the first error is the one to tell: on a full disk the status can't be written either
            with contextlib.suppress(SpeechftError) if status == "failed" else contextlib.nullcontext():
                write_run(folder, {**record, "status": status, "ended": now(), "steps": state.step, "outputs": outputs})
    return run_result(request, folder)


def _loop(
    request: FinetuneRequest,
    state: TrainingState,
    jobs: list[Job],
    folder: Path,
    ranks: Ranks,
    report: Report,
    interruptible: Interruptible,
) -> None:
    """Trains, and writes down what happens."""
    with contextlib.ExitStack() as stack:
        diary = None
        if ranks.is_first:
            trackers = stack.enter_context(tracked_run(request, folder, report))
            diary = stack.enter_context(Diary(folder, resume_at=state.step, trackers=trackers))

        def log(step: TrainingStep) -> None:
            if diary is not None:
                diary.step(step)
            report(step)

        def save(scores: Mapping[str, Mapping[str, float]] | None, is_best: bool) -> None:
            if diary is None:
                ranks.wait()  # nobody reads what the first rank is still writing
                return
            require_space(folder, checkpoint_bytes(state))
            if scores is not None:
                diary.scores(state.step, scores)
                if is_best:
                    save_best(state, folder / "best", request.base, jobs=jobs, scores=scores)
            save_last(state, folder / "last", request.base)
            ranks.wait()

        report(Started("training", request.schedule.end, "updates"))
        report(Advanced(state.step))
        train(
            state,
            jobs=jobs,
            schedule=request.schedule,
            settings=loop_settings(request.section, request.config.seed),
            ranks=ranks,
            report=report,
            log=log,
            save=save,
            interruptible=interruptible,
        )
        report(Finished())
