"""Scoring an encoder and its heads on dev, and whether that was an improvement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from speechft_cli.data.audio import read_waveform
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.events import Advanced, Finished, Report, Started
from speechft_cli.io.ahead import READERS, in_order
from speechft_cli.tasks.base import Metric
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.job import Job
from speechft_cli.training.ranks import Ranks

#: Spans hidden on dev are the same at every evaluation.
_MASK_SEED = 0


@torch.no_grad()
def evaluate(
    encoder: Encoder,
    head: nn.Module,
    job: Job,
    *,
    step: int,
    ranks: Ranks,
    report: Report,
    interruptible: Interruptible,
) -> Mapping[str, float] | None:
    """Returns the job's scores on dev, each utterance encoded alone so that padding has no say; None if interrupted.

    Args:
        encoder: Put into evaluation mode.
        head: The job's; put into evaluation mode.
        job: With masking, the score is of hidden frames only.
        step: Updates made, for the report.
        ranks: Each scores its share; all get the scores of the whole.
        report: Told how far it is.
        interruptible: Asked after every utterance; one rank that is interrupted stops all.
    """
    encoder.eval()
    head.eval()
    own = range(len(job.dev))[ranks.rank :: ranks.world]
    read = in_order(read_waveform, (job.dev[index] for index in own), workers=READERS)
    pairs: list[tuple[str, str]] = []
    report(Started(f"{job.task.name} dev at step {step}", len(own), "utterances"))
    for done, (index, waveform) in enumerate(zip(own, read, strict=True), start=1):
        pairs.append(_predict(encoder, head, job, index, waveform))
        report(Advanced(done))
        if interruptible.received is not None:
            break
    shares = ranks.gather(None if interruptible.received is not None else pairs)
    every = [share for share in shares if share is not None]
    if len(every) < ranks.world:
        report(Finished("interrupted"))
        return None
    # the order of dev, whatever the number of ranks: sums of floats depend on it
    pairs = [every[index % ranks.world][index // ranks.world] for index in range(len(job.dev))]
    scores = job.task.score([prediction for prediction, _ in pairs], [reference for _, reference in pairs])
    report(Finished(", ".join(f"{each.title} {each.format(scores[each.name])}" for each in job.task.metrics)))
    return scores


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


def _predict(encoder: Encoder, head: nn.Module, job: Job, index: int, waveform: Tensor) -> tuple[str, str]:
    """The prediction for one utterance of dev and its reference."""
    waveform = waveform.to(encoder.device)
    if job.masking is None:
        encoded = encoder([waveform])
        logits = head(encoded.last, encoded.frame_counts)
        return job.task.predict(logits, encoded.frame_counts, job.vocabulary)[0], job.reference(job.dev[index])
    of_frames = job.dev_units(index)
    frames = encoder.family.frame_count(len(waveform))
    counts = torch.tensor([frames], device=waveform.device)
    generator = torch.Generator().manual_seed(_MASK_SEED)
    mask = job.masking.draw(counts, frames=frames, generator=generator)
    hidden = mask[0].nonzero()[:, 0]
    hidden = hidden[hidden < len(of_frames)]
    logits = head(encoder([waveform], mask).last[:, hidden], counts)
    units = [job.vocabulary.symbols[of_frames[frame]] for frame in hidden.tolist()]
    (prediction,) = job.task.predict(logits, torch.tensor([len(hidden)]), job.vocabulary)
    return prediction, " ".join(units)
