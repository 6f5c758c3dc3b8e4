"""Encoding utterances rightly: each as if it were alone, or as stock s3prl would, in batches that are a pure plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.neighbours import MOST_PADDING, runs_of_neighbours
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.encoders.memory import lack_of_memory_named
from speechft_cli.errors import SpeechftError
from speechft_cli.io.ahead import READERS, in_order

#: `exact`: an utterance's features are those it has alone. `stock`: batches padded as s3prl pads them, which changes
#: the features of most families; for parity with figures made so.
Batching = Literal["exact", "stock"]

#: Counts up whenever features would come out differently.
VERSION = 3

#: Utterance → waveform (N,), 16 kHz.
ReadWaveform = Callable[[Utterance], Tensor]


def crop_middle(utterance: Utterance, duration: Seconds | None) -> Utterance:
    """Returns the middle `duration` seconds of an utterance, all of it when it is no longer or None is asked for."""
    if duration is None or utterance.duration <= duration:
        return utterance
    return replace(utterance, start=utterance.start + (utterance.duration - duration) / 2, duration=duration)


def stretch_name(utterance: Utterance) -> str:
    """Returns what names the audio of an utterance or of a crop of it among those of one manifest folder."""
    return f"{utterance.id} {utterance.start!r} {utterance.duration!r}"


def plan_batches(utterances: Sequence[Utterance], batching: Batching) -> list[list[Utterance]]:
    """Groups utterances into batches of neighbours in length; the plan depends on nothing but the utterances.

    Args:
        utterances: What to encode.
        batching: With `exact` no utterance is padded by more than a twentieth, as padding costs time though it
            changes nothing.
    """
    ordered = sorted(utterances, key=lambda each: (each.duration, each.id))
    most_padding = MOST_PADDING if batching == "exact" else 1.0
    runs = runs_of_neighbours([each.duration for each in ordered], most_padding=most_padding)
    return [ordered[run] for run in runs]


@dataclass(frozen=True)
class Needs:
    """What will be asked of an encoder's features.

    Attributes:
        pooled: Utterances and crops whose mean-pooled vectors are needed.
        frames: Utterances whose hidden states are needed.
    """

    pooled: Sequence[Utterance]
    frames: Sequence[Utterance]

    def plan(self, batching: Batching, *, are_frames_alone: bool) -> list[list[Utterance]]:
        """Returns the batches to encode: every stretch once, whatever is made of it.

        Args:
            batching: How utterances share a batch.
            are_frames_alone: Whether utterances whose hidden states are needed share none, so that hidden states that
                have to be made again come out the same to the last bit; they do anyway with `stock`.
        """
        by_name = {stretch_name(each): each for each in (*self.frames, *self.pooled)}
        if batching == "stock" or not are_frames_alone:
            return plan_batches(list(by_name.values()), batching)
        alone = {stretch_name(each): each for each in self.frames}
        by_length = sorted(alone.values(), key=lambda each: (each.duration, each.id))
        rest = [each for name, each in by_name.items() if name not in alone]
        return [*([each] for each in by_length), *plan_batches(rest, "exact")]


def read_ahead(batches: Iterable[Sequence[Utterance]], read: ReadWaveform) -> Iterator[list[Tensor]]:
    """Yields the waveforms of each batch; those of the next ones are read while this one is encoded."""
    return in_order(lambda batch: [read(each) for each in batch], batches, workers=READERS)


@torch.no_grad()
def encode_batch(encoder: FrozenEncoder, batch: Sequence[Utterance], waveforms: Sequence[Tensor]) -> list[Tensor]:
    """Encodes a planned batch.

    Args:
        encoder: Frozen, in evaluation mode, with exact padding unless the batch was planned as `stock`.
        batch: From `plan_batches`.
        waveforms: Of its utterances (N_i,), 16 kHz.

    Returns:
        The hidden states (L + 1, T_i, D) of each utterance: its own frames, float32, on the encoder's device.

    Raises:
        SpeechftError: A recording is too short for a frame or too long for the memory, or the encoder makes NaN or
            Inf of it; the message names the utterance.
    """
    for utterance, waveform in zip(batch, waveforms, strict=True):
        if encoder.framing.count(len(waveform)) == 0:
            raise SpeechftError(
                f"utterance {utterance.id}: must give at least one frame, got {len(waveform)} samples at 16 kHz"
            )
    durations = {each.id: each.duration for each in batch}
    # a GPU would round what the CNN multiplies to ten bits, by an algorithm that depends on the batch
    with lack_of_memory_named(durations), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        result = encoder([each.to(encoder.device) for each in waveforms])
        states = torch.stack(result.hidden_states, dim=1).float()  # L + 1 times (B, T, D) -> (B, L + 1, T, D)
    encoded = [own[:, :count] for own, count in zip(states, result.frame_counts.tolist(), strict=True)]
    for utterance, own in zip(batch, encoded, strict=True):
        _require_finite(utterance, own)
    return encoded


class Waveforms:
    """Reads waveforms and keeps them while a budget lasts, so that many encoders hear audio that is read once.

    Any number of threads may ask.
    """

    def __init__(self, *, budget: int) -> None:
        """
        Args:
            budget: Most memory to use [bytes].
        """
        self._left = budget
        self._kept: dict[str, Tensor] = {}
        self._lock = threading.Lock()

    def __call__(self, utterance: Utterance) -> Tensor:
        """Returns the waveform of an utterance (N,), 16 kHz."""
        name = stretch_name(utterance)
        if name in self._kept:
            return self._kept[name]
        waveform = read_waveform(utterance)
        with self._lock:
            if name not in self._kept and waveform.nbytes <= self._left:
                self._left -= waveform.nbytes
                self._kept[name] = waveform
        return waveform


def _require_finite(utterance: Utterance, states: Tensor) -> None:
    """A probe makes some class of NaN, too, and a score of that is no lower than chance."""
    broken = ~states.isfinite().all(dim=2).all(dim=1)
    if bool(broken.any()):
        raise SpeechftError(
            f"utterance {utterance.id}: must have finite features, got NaN or Inf in hidden state "
            f"{int(broken.nonzero()[0])}",
            "the encoder's weights are finite but too large: take an earlier checkpoint, or leave it out",
        )
