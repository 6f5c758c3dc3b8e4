"""Speaker diarization: who speaks when, with speakers that may speak at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from speechft_cli.tasks.base import FIELD_SEPARATOR, Metric, Vocabulary
from speechft_cli.tasks.diarization import (
    Segment,
    by_speaker,
    diarization_error_rate,
    diarization_errors,
    read_segments,
)
from speechft_cli.tasks.heads import ActivityHead

#: A speaker speaks where the probability is above this, after a running median over so many frames.
_THRESHOLD, _MEDIAN = 0.5, 11


@dataclass(frozen=True)
class SpeakerDiarization:
    """Which of a fixed number of speakers speak in each frame, whoever they are.

    A target is segments and the recording's duration [s]; a prediction is the number of frames, then the segments in
    frames. The classes are places for speakers, as many as a training recording has at most.
    """

    name: str = "sd"
    needs: str = "segments+duration"
    metrics: tuple[Metric, ...] = (Metric("der", "DER", "%", "lower"),)
    is_trained: Literal[True] = True
    is_pooled: bool = False
    is_closed_set: bool = False
    probe_steps: int = 2_000
    probe_learning_rates: tuple[float, ...] = (1e-3,)

    def normalise(self, target: str) -> str:
        """Returns the target as it is, "" when its segments can't be read."""
        try:
            return target if read_segments(target.partition(FIELD_SEPARATOR)[0]) else ""
        except ValueError:
            return ""

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns a place for each speaker of the recording that has most."""
        most = max(len(by_speaker(_segments(target))) for target in targets)
        return Vocabulary(tuple(f"speaker{place}" for place in range(1, most + 1)))

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns the duration, then place, start and end of each segment; times in milliseconds.

        Raises:
            KeyError: There are more speakers than places.
        """
        index = vocabulary.index
        places = {name: index[f"speaker{place}"] for place, name in enumerate(by_speaker(_segments(target)), start=1)}
        flat = [
            (places[each.speaker], _milliseconds(each.start), _milliseconds(each.end)) for each in _segments(target)
        ]
        return [_milliseconds(_duration(target)), *(value for triple in flat for value in triple)]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns 1: any recording will do."""
        del target
        return 1

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> None:
        """Returns None: segments must be read."""
        del target, vocabulary

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns SUPERB's head: one LSTM layer of 512, one linear layer."""
        return ActivityHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return ActivityHead(width, classes)

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the binary cross entropy per frame and speaker, under each recording's best order of speakers.

        Source: permutation-invariant training, Fujita et al. 2019, arXiv 1909.05952.
        """
        total, frames = logits.new_zeros(()), 0
        for row, count, target in zip(logits.float(), frame_counts.tolist(), targets, strict=True):
            activity = _activity(target, count, len(vocabulary)).to(row)  # (T, S)
            # every output against every speaker: (T, S) -> (S outputs, S speakers), summed over frames
            costs = F.binary_cross_entropy_with_logits(
                row[:count, :, None].expand(-1, -1, len(vocabulary)),
                activity[:, None].expand(-1, len(vocabulary), -1),
                reduction="none",
            ).sum(dim=0)
            outputs, speakers = linear_sum_assignment(costs.detach().cpu().numpy())
            total = total + costs[list(outputs), list(speakers)].mean()
            frames += count
        return total / frames

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the segments of each recording, in frames."""
        active = (torch.sigmoid(logits.float()) > _THRESHOLD).cpu()
        return [
            f"{count}{FIELD_SEPARATOR}" + ";".join(_runs(_median(own[:count]), vocabulary))
            for own, count in zip(active, frame_counts.tolist(), strict=True)
        ]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns the diarization error rate [%], without a collar."""
        return {
            "der": diarization_error_rate(
                [
                    diarization_errors(_in_seconds(guess, _duration(truth)), _segments(truth))
                    for guess, truth in zip(predictions, references, strict=True)
                ]
            )
        }


SD = SpeakerDiarization()


def _segments(target: str) -> list[Segment]:
    return read_segments(target.partition(FIELD_SEPARATOR)[0])


def _duration(target: str) -> float:
    return float(target.partition(FIELD_SEPARATOR)[2])


def _milliseconds(time: float) -> int:
    return round(1000 * time)


def _activity(target: Sequence[int], frames: int, speakers: int) -> Tensor:
    """Returns who speaks at the middle of each frame (T, S), as 0 or 1."""
    middles = (torch.arange(frames) + 0.5) * target[0] / frames
    activity = torch.zeros(frames, speakers)
    for place, start, end in zip(target[1::3], target[2::3], target[3::3], strict=True):
        activity[(middles >= start) & (middles < end), place] = 1.0
    return activity


def _median(active: Tensor) -> Tensor:
    """Returns the running median over frames of each speaker: (T, S) -> (T, S)."""
    side = _MEDIAN // 2
    padded = F.pad(active.float().T, (side, side))  # (S, T + 2 side)
    return (padded.unfold(1, _MEDIAN, 1).sum(dim=2) > side).T


def _runs(active: Tensor, vocabulary: Vocabulary) -> list[str]:
    runs = []
    for speaker, own in zip(vocabulary.symbols, active.T.tolist(), strict=True):
        start = 0
        for is_active, run in groupby(own):
            end = start + len(list(run))
            if is_active:
                runs.append(f"{speaker} {start} {end}")
            start = end
    return runs


def _in_seconds(prediction: str, duration: float) -> list[Segment]:
    frames, _, segments = prediction.partition(FIELD_SEPARATOR)
    frame = duration / int(frames)
    return [Segment(each.speaker, each.start * frame, each.end * frame) for each in read_segments(segments)]
