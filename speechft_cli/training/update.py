"""One optimizer update: gradients of some batches, averaged over the ranks, clipped, applied if they are finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.loading import Batch
from speechft_cli.data.utterance import Seconds
from speechft_cli.training.job import Job
from speechft_cli.training.objective import batch_loss
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.state import TrainingState


def make_update(
    state: TrainingState,
    job: Job,
    batches: Sequence[Batch],
    *,
    is_frozen: bool,
    gradient_clip: float,
    seed: int,
    ranks: Ranks,
) -> tuple[Tensor, Tensor, Seconds]:
    """Changes encoder, head and optimizer by one update; neither loss nor norm is read from the device.

    Args:
        state: Changed in place, but for its step and positions.
        job: What the batches are of.
        batches: Their gradients are averaged.
        is_frozen: Whether only the head trains.
        gradient_clip: Largest gradient norm over all trained parameters.
        seed: Of the run.
        ranks: Whose gradients are averaged as well.

    Returns:
        The mean loss, the gradient's norm before clipping, both on the device, and the audio it was made of [s].
    """
    _seed_update(seed, step=state.step, rank=ranks.rank)
    state.optimizer.zero_grad(set_to_none=True)
    losses = []
    for batch in batches:
        loss = state.precision.scaled(batch_loss(state, job, batch, is_frozen=is_frozen)) / len(batches)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    trained = [
        parameter
        for group in state.optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
    gradients = [parameter.grad for parameter in trained]
    ranks.average(gradients)
    state.precision.unscale(gradients)
    state.attached.add_gradients()
    norm = clip_grad_norm_(trained, gradient_clip)
    is_finite = torch.isfinite(norm)
    # fused Adam leaves everything as it is where this is 1, without anybody asking the device
    state.optimizer.found_inf = (~is_finite).float()  # type: ignore[attr-defined]
    state.optimizer.step()
    chosen = job.train.select([piece.utterance for batch in batches for piece in batch.pieces])
    state.skips.add(state.precision.is_fault(is_finite), chosen)
    loss = torch.stack(losses).sum() / (1.0 if state.precision.scale is None else state.precision.scale)
    state.precision.adapt(is_finite)
    return loss, norm, sum(len(wave) for batch in batches for wave in batch.waveforms) / SAMPLE_RATE


def _seed_update(seed: int, *, step: int, rank: int) -> None:
    """Seeds torch's generators for the update after `step` updates: dropout, SpecAugment and masks are drawn there."""
    torch.manual_seed(int(np.random.SeedSequence((seed, 3, step, rank)).generate_state(1, np.uint64)[0] >> 1))
