"""What an update minimises: a task's loss on what the encoder hears, or on what was hidden from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from speechft_cli.data.loading import Batch
from speechft_cli.tasks.hubert import NO_UNIT, pad_units
from speechft_cli.training.job import Job
from speechft_cli.training.state import TrainingState


def batch_loss(state: TrainingState, job: Job, batch: Batch, *, is_frozen: bool) -> Tensor:
    """Returns the mean loss of a batch, a scalar.

    Args:
        state: Its encoder hears the batch, its head of the job's task answers.
        job: What to train; with masking, spans of frames are hidden, drawn from torch's global generator.
        batch: Of the job's utterances; anywhere.
        is_frozen: Whether the encoder is, so that no graph is kept through it.
    """
    encoder, task, device = state.encoder, job.task, state.device
    waveforms = [waveform.to(device, non_blocking=True) for waveform in batch.waveforms]
    targets = job.targets(batch.pieces, encoder.family)
    with state.precision.autocast(device):
        mask = None
        if job.masking is not None:
            counts = torch.tensor([encoder.family.frame_count(len(waveform)) for waveform in waveforms])
            mask = job.masking.draw(counts, frames=int(counts.max())).to(device, non_blocking=True)
        with torch.set_grad_enabled(not is_frozen):
            encoded = encoder(waveforms, mask)
        logits = state.heads[task.name](encoded.last, encoded.frame_counts)
        if mask is None:
            return task.loss(logits, encoded.frame_counts, targets, job.vocabulary)
        units = pad_units(targets, frames=mask.shape[1]).to(mask.device, non_blocking=True)
        loss = task.loss(logits, encoded.frame_counts, _units_at(mask, units), job.vocabulary)
        if job.unmasked_weight:
            unmasked = task.loss(logits, encoded.frame_counts, _units_at(~mask, units), job.vocabulary)
            loss = loss + job.unmasked_weight * unmasked
        return loss


def _units_at(frames: Tensor, units: Tensor) -> list[Sequence[int]]:
    """The units (B, T) of some frames (B, T), none elsewhere."""
    return cast("list[Sequence[int]]", list(units.where(frames, NO_UNIT)))
