"""What an update minimises: a task's loss on what the encoder hears, or on what was hidden from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.tasks.hubert import NO_UNIT, pad_units
from speechft_cli.training.job import Job


def batch_loss(
    encoder: Encoder,
    head: nn.Module,
    job: Job,
    waveforms: Sequence[Tensor],
    targets: Sequence[Sequence[int]],
    *,
    is_frozen: bool,
) -> Tensor:
    """Returns the mean loss of a batch, a scalar.

    Args:
        encoder: Hears the waveforms.
        head: The job's.
        job: What to train; with masking, spans of frames are hidden, drawn from torch's global generator.
        waveforms: (N_i,) each, 16 kHz.
        targets: Class indices of each utterance.
        is_frozen: Whether the encoder is, so that no graph is kept through it.
    """
    mask = None
    if job.masking is not None:
        counts = torch.tensor([encoder.family.frame_count(len(waveform)) for waveform in waveforms])
        mask = job.masking.draw(counts, frames=int(counts.max())).to(waveforms[0].device, non_blocking=True)
    with torch.set_grad_enabled(not is_frozen):
        encoded = encoder(waveforms, mask)
    logits = head(encoded.last, encoded.frame_counts)
    if mask is None:
        return job.task.loss(logits, encoded.frame_counts, targets, job.vocabulary)
    units = pad_units(targets, frames=mask.shape[1]).to(mask.device, non_blocking=True)
    loss = job.task.loss(logits, encoded.frame_counts, _units_at(mask, units), job.vocabulary)
    if job.unmasked_weight:
        loss = loss + job.unmasked_weight * job.task.loss(
            logits, encoded.frame_counts, _units_at(~mask, units), job.vocabulary
        )
    return loss


def _units_at(frames: Tensor, units: Tensor) -> list[Sequence[int]]:
    """The units (B, T) of some frames (B, T), none elsewhere."""
    return cast("list[Sequence[int]]", list(units.where(frames, NO_UNIT)))
