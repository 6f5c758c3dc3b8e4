"""What a fine-tuning run starts from: its state, its jobs with their targets, the settings of its loop."""

from __future__ import annotations

from pathlib import Path

import torch

from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines.finetune.request import FinetuneRequest
from speechft_cli.engines.finetune.units import UnitsRequest, label_frames, with_units
from speechft_cli.events import Report
from speechft_cli.training.freezing import trainable_names
from speechft_cli.training.job import Job
from speechft_cli.training.kernels import choose_kernels
from speechft_cli.training.loop import LoopSettings
from speechft_cli.training.memory import checkpoint_layers, compile_layers
from speechft_cli.training.precision import Precision
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.state import TrainingState, new_state, restore


def first_state(request: FinetuneRequest, start: EncoderCheckpoint, device: torch.device) -> TrainingState:
    """Returns encoder, heads and optimizer before the first update; the same on every rank."""
    torch.manual_seed(request.config.seed)
    encoder = build_encoder(start, device=device, exact_padding=request.section.batching == "exact")
    if request.trains_cnn:
        encoder.let_cnn_train()
    heads = {
        each.job.task.name: each.job.task.head(encoder.width, len(each.job.vocabulary)).to(device)
        for each in request.checked
    }
    return new_state(
        encoder,
        heads,
        strategy=request.strategy,
        trainable=trainable_names(encoder, with_cnn=request.trains_cnn, with_mask=request.is_masked),
        base=request.base.weights,
        precision=Precision.on(request.section.precision, device),
        skip_limit=request.section.skip_limit,
    )


def last_state(request: FinetuneRequest, last: Path, device: torch.device) -> TrainingState:
    """Returns the state that the last checkpoint of a run has kept."""
    base = request.base
    start = base if request.strategy.starts_from_base else read_encoder(last / "encoder.pt", base.family)
    state = first_state(request, start, device)
    restore(state, last)
    return state


def adapt_encoder(encoder: Encoder, section: FinetuneSection) -> None:
    """Makes an encoder compute as it is to be trained: what in fp32, what compiled, what again for the gradient."""
    choose_kernels(encoder)
    if section.compile:
        compile_layers(encoder)
    if section.gradient_checkpointing:  # around what is compiled
        checkpoint_layers(encoder)


def targeted_jobs(
    request: FinetuneRequest, folder: Path, device: torch.device, ranks: Ranks, report: Report
) -> list[Job]:
    """Returns the jobs with all their targets: those of masked prediction are made here."""
    jobs = []
    for each in request.checked:
        job = each.job
        if job.masking is not None:
            units = UnitsRequest(request.section.units, request.units_encoder, request.data_sha256, request.config.seed)
            label_frames(job, units, folder / "units", device=device, ranks=ranks, report=report)
            job = with_units(job, units, folder / "units")
        jobs.append(job)
    return jobs


def loop_settings(section: FinetuneSection, seed: int) -> LoopSettings:
    """Returns what the section says of the training loop."""
    return LoopSettings(
        learning_rate=section.learning_rate,
        encoder_learning_rate=section.encoder_rate,
        gradient_clip=section.gradient_clip,
        frozen_dropout=section.frozen_dropout,
        batch_seconds=section.batch_seconds,
        batches_per_update=section.batches_per_update,
        evaluate_every=section.evaluate_every,
        save_every=section.save_every or section.evaluate_every,
        log_every=section.log_every,
        workers=section.workers,
        seed=seed,
    )
