"""Fine-tuning: base + manifests → run folder."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch

from speechft_cli import __version__
from speechft_cli.config.dump import config_yaml
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines.device import choose_device
from speechft_cli.engines.finetune_request import (
    FinetuneRequest,
    check_request,
    plan_table,
    resolved,
    tell_rejected,
)
from speechft_cli.errors import InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Report, Result, TrainingStep
from speechft_cli.io.atomic import recover, remove_unfinished, write_text
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.run_folder import MetricsLog, locked, read_run, write_run
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.loop import LoopSettings, train
from speechft_cli.training.state import best_scores, new_state, restore, save_best, save_last


def run(config: Config, report: Report, *, resume: bool = False, dry_run: bool = False) -> Result:
    """Fine-tunes an encoder stably on one task.

    Args:
        config: Needs `encoder`; `finetune` and `prepare` have defaults.
        report: Told what happens.
        resume: Go on from the run folder's last checkpoint.
        dry_run: Show the plan and stop.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: The run failed.
        InterruptedRunError: SIGINT or SIGTERM; the state is saved.
    """
    request = check_request(config, resume_from=config.run_dir if resume else None)
    tell_rejected(request, report)
    if dry_run:
        encoder = build_encoder(request.base, device=torch.device("cpu"))
        report(plan_table(request, encoder, request.task.head(encoder.width, len(request.vocabulary))))
        return Result("planned; nothing was written", str(config.run_dir), "the same command without --dry-run")
    folder = config.run_dir
    if (folder / "run.json").exists() and not resume:
        raise RequestError(
            f"{folder}: holds a fine-tuning run already",
            "speechft finetune --resume goes on with it; finetune.out or --out chooses another folder",
        )
    with locked(folder):
        if resume and read_run(folder)["status"] == "done":
            return _result(request, folder)
        return _train(config, request, report, folder, resume=resume)


def _train(config: Config, request: FinetuneRequest, report: Report, folder: Path, *, resume: bool) -> Result:
    section, task, schedule, base = request.section, request.task, request.schedule, request.base
    device = choose_device(section.device)
    torch.manual_seed(config.seed)
    for part in ("best", "last"):
        recover(folder / part)
        remove_unfinished(folder / part)
    # a run that was killed before its first checkpoint begins again
    resume = resume and (folder / "last" / "state.pt").is_file()
    start = read_encoder(folder / "last" / "encoder.pt", base.family) if resume else base
    encoder = build_encoder(start, device=device)
    head = task.head(encoder.width, len(request.vocabulary)).to(device)
    state = new_state(encoder, head, learning_rate=section.learning_rate)
    if not resume:
        write_text(folder / "config.yaml", config_yaml(resolved(config)))
        if base.path is None:
            converted.write(base, folder / "base" / "encoder.pt")
    run_json = _run_json(config, request, folder, device)
    write_run(folder, {**run_json, "status": "running"})
    report(plan_table(request, encoder, head))
    if resume:
        restore(state, folder / "last")

    from torch.utils.tensorboard import SummaryWriter

    metrics_log = MetricsLog(folder / "metrics.jsonl", resume_at=state.step)
    board = SummaryWriter(str(folder / "tensorboard"), purge_step=state.step + 1 if resume else None)

    def log(step: TrainingStep) -> None:
        line = {
            "step": step.step,
            "stage": step.stage,
            "loss": step.loss,
            "learning_rate": step.learning_rate,
            "gradient_norm": step.gradient_norm,
            "audio_rate": step.audio_rate,
        }
        metrics_log.append(line)
        for name in ("loss", "learning_rate", "gradient_norm", "audio_rate"):
            board.add_scalar(f"train/{name}", line[name], step.step)
        report(step)

    def save(scores: Mapping[str, float] | None, is_best: bool) -> None:
        if scores is not None:
            finite = {name: value for name, value in scores.items() if not math.isnan(value)}
            metrics_log.append({"step": state.step, **{f"dev_{name}": value for name, value in finite.items()}})
            for name, value in finite.items():
                board.add_scalar(f"dev/{name}", value, state.step)
        if is_best and scores is not None:
            save_best(
                state,
                folder / "best",
                base,
                vocabulary=request.vocabulary,
                scores=scores,
                metrics=task.metrics,
            )
        save_last(state, folder / "last", base)

    status = "failed"
    try:
        with Interruptible() as interruptible:
            train(
                state,
                task=task,
                vocabulary=request.vocabulary,
                examples=request.train,
                dev=request.dev,
                schedule=schedule,
                settings=_loop_settings(section, config.seed),
                report=report,
                log=log,
                save=save,
                interruptible=interruptible,
            )
        if interruptible.received is not None and state.step < schedule.steps:
            status = "interrupted"
            raise InterruptedRunError(
                f"interrupted at step {state.step} of {schedule.steps}; the state is saved in {folder / 'last'}",
                "the same command with --resume goes on from there",
                exit_code=128 + interruptible.received,
            )
        if not (folder / "best" / "encoder.pt").is_file():
            raise SpeechftError(
                f"{folder}: {task.metrics[0].title} on dev was never a number, so there is no best checkpoint"
            )
        status = "done"
    finally:
        board.close()
        outputs = {}
        if status == "done":
            best = read_encoder(folder / "best" / "encoder.pt", base.family)
            step, scores = best_scores(folder / "best", task.metrics[0])
            outputs = {"best": {"step": step, "dev": scores, "weights_sha256": weights_hash(best.weights)}}
        write_run(folder, {**run_json, "status": status, "ended": _now(), "steps": state.step, "outputs": outputs})
    return _result(request, folder)


def _loop_settings(section: FinetuneSection, seed: int) -> LoopSettings:
    return LoopSettings(
        learning_rate=section.learning_rate,
        gradient_clip=section.gradient_clip,
        frozen_dropout=section.frozen_dropout,
        batch_seconds=section.batch_seconds,
        evaluate_every=section.evaluate_every,
        log_every=section.log_every,
        workers=section.workers,
        seed=seed,
    )


def _run_json(config: Config, request: FinetuneRequest, folder: Path, device: torch.device) -> dict[str, object]:
    base = request.base
    path = (base.path or folder / "base" / "encoder.pt").resolve()
    return {
        "speechft": __version__,
        "torch": torch.__version__,
        "command": sys.argv,
        "task": request.task.name,
        "family": base.family.name,
        "seed": config.seed,
        "device": str(device),
        "data": {"path": str(request.data), "sha256": request.data_sha256},
        "base": {"path": str(path), "sha256": file_hash(path), "weights_sha256": weights_hash(base.weights)},
        "started": _now(),
    }


def _result(request: FinetuneRequest, folder: Path) -> Result:
    metric = request.task.metrics[0]
    step, scores = best_scores(folder / "best", metric)
    base = str(cast("Mapping[str, object]", read_run(folder)["base"])["path"])
    return Result(
        summary=f"best dev {metric.title} {metric.format(scores[metric.name])} at step {step}",
        output=str(folder),
        next_command=shlex.join(["speechft", "merge", "--base", base, "--tuned", str(folder), "--alphas", "0:1:0.25"]),
        data={"task": request.task.name, "step": step, "dev": scores, "best": str(folder / "best")},
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
