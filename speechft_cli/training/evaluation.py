"""Scoring an encoder and its heads on dev, and whether that was an improvement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speechft_cli.data.neighbours import MOST_SECONDS, batches_to_encode, read_batches
from speechft_cli.data.utterance import Seconds
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.memory import lack_of_memory_named
from speechft_cli.events import Advanced, Finished, Report, Started
from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.masking import Masking
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
    batch_seconds: Seconds,
    ranks: Ranks,
    report: Report,
    interruptible: Interruptible,
) -> Mapping[str, float] | None:
    """Returns the job's scores on dev, padded exactly where utterances share a batch; None if interrupted.

    Args:
        encoder: Put into evaluation mode.
        head: The job's; put into evaluation mode.
        job: With masking, the score is of hidden frames only.
        step: Updates made, for the report.
        batch_seconds: Most audio in a batch that is trained on [s]: no more is encoded at once, to fit into memory.
        ranks: Each scores its share; all get the scores of the whole.
        report: Told how far it is.
        interruptible: Asked after every batch; one rank that is interrupted stops all.
    """
    encoder.eval()
    head.eval()
    most_seconds = min(MOST_SECONDS, batch_seconds)
    batches = batches_to_encode(job.dev.durations, device=encoder.device.type, most_seconds=most_seconds)
    own = batches[ranks.rank :: ranks.world]
    pairs: dict[int, tuple[str, str]] = {}
    report(Started(f"{job.task.name} dev at step {step}", sum(map(len, own)), "utterances"))
    for batch, waveforms in read_batches(job.dev, own):
        with lack_of_memory_named({each.id: each.duration for each in job.dev.select(batch)}):
            pairs |= zip(batch, predict(encoder, head, job, batch, waveforms), strict=True)
        report(Advanced(len(pairs)))
        if interruptible.received is not None:
            break
    shares = [
        share for share in ranks.gather(None if interruptible.received is not None else pairs) if share is not None
    ]
    if len(shares) < ranks.world:
        report(Finished("interrupted"))
        return None
    every = {index: pair for share in shares for index, pair in share.items()}
    # the order of dev, whatever the number of ranks: sums of floats depend on it
    predictions, references = zip(*(every[index] for index in range(len(job.dev))), strict=True)
    scores = job.task.score(predictions, references)
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


@torch.no_grad()
def predict(
    encoder: Encoder, head: nn.Module, job: Job, indices: Sequence[int], waveforms: Sequence[Tensor]
) -> list[tuple[str, str]]:
    """Returns the predictions for some utterances of dev, and their references.

    Args:
        encoder: In evaluation mode.
        head: The job's, in evaluation mode.
        job: With masking, predictions are of hidden frames.
        indices: Which utterances.
        waveforms: Of each (N_i,), 16 kHz.
    """
    waveforms = [waveform.to(encoder.device) for waveform in waveforms]
    if job.masking is None:
        encoded = encoder(waveforms, exact_padding=True)
        logits = head(encoded.last, encoded.frame_counts)
        predictions = job.task.predict(logits, encoded.frame_counts, job.vocabulary)
        return list(zip(predictions, [job.reference(job.dev[index]) for index in indices], strict=True))
    masks = [_mask(job.masking, encoder.family.frame_count(len(waveform))) for waveform in waveforms]
    together = pad_sequence(masks, batch_first=True).to(encoder.device)
    encoded = encoder(waveforms, together, exact_padding=True)
    return [
        _predict_units(head, job, index, features[: len(mask)], mask)
        for index, features, mask in zip(indices, encoded.last, masks, strict=True)
    ]


def _mask(masking: Masking, frames: int) -> Tensor:
    """Which frames of an utterance are hidden (T,), whatever others come with it."""
    generator = torch.Generator().manual_seed(_MASK_SEED)
    return masking.draw(torch.tensor([frames]), frames=frames, generator=generator)[0]


def _predict_units(head: nn.Module, job: Job, index: int, features: Tensor, mask: Tensor) -> tuple[str, str]:
    """The units of an utterance's hidden frames, by its features (T, D), and their references."""
    of_frames = job.dev_units(index)
    hidden = mask.nonzero()[:, 0]
    hidden = hidden[hidden < len(of_frames)]
    counts = torch.tensor([len(hidden)], device=features.device)
    (prediction,) = job.task.predict(head(features[None, hidden.to(features.device)], counts), counts, job.vocabulary)
    return prediction, " ".join(job.vocabulary.symbols[of_frames[frame]] for frame in hidden.tolist())
