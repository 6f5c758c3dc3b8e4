"""Features of a frozen encoder: every utterance encoded as if it were alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.encoders.s3prl import Encoder
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import atomic_path
from speechft_cli.io.hashes import weights_hash

#: Counts up whenever pooled features would come out differently.
POOLING_VERSION = 1

#: Hidden states kept in memory [bytes]: of about 35 min of audio with HuBERT base, 11 h with the tiny one.
MEMORY_BUDGET = 4 * 2**30

#: Told how many utterances are done.
Advance = Callable[[int], None]


@torch.no_grad()
def hidden_states(encoder: Encoder, utterance: Utterance) -> Tensor:
    """Encodes one utterance in a batch of its own: padding would change the features of most families.

    Returns:
        All hidden states (L + 1, T, D), float32 on the CPU.

    Raises:
        SpeechftError: The audio can't be read or is too short for a frame; the message names the utterance.
    """
    device = next(encoder.parameters()).device
    try:
        encoded = encoder([read_waveform(utterance).to(device)])
    except SpeechftError as error:
        raise SpeechftError(f"utterance {utterance.id}: {error.message}", error.hint) from error
    return torch.cat(encoded.hidden_states).float().cpu()  # L + 1 times (1, T, D) -> (L + 1, T, D)


def crop_middle(utterance: Utterance, duration: Seconds | None) -> Utterance:
    """Returns the middle `duration` seconds of an utterance, all of it when it is no longer or None is asked for."""
    if duration is None or utterance.duration <= duration:
        return utterance
    return replace(utterance, start=utterance.start + (utterance.duration - duration) / 2, duration=duration)


@dataclass(frozen=True)
class PooledKey:
    """What pooled features depend on.

    Attributes:
        encoder: Hash of the encoder's weights.
        manifest: Hash of the manifest folder.
        utterances: Hash of the utterances' ids, in order.
        crop_seconds: Longest stretch heard [s]; None for all.
        version: Of the pooling.
    """

    encoder: str
    manifest: str
    utterances: str
    crop_seconds: Seconds | None
    version: int = POOLING_VERSION

    def text(self) -> str:
        """Returns the key as one line."""
        return json.dumps(asdict(self), sort_keys=True)

    def path(self, folder: Path) -> Path:
        """Returns where the features lie in `folder`."""
        return folder / f"pooled-{hashlib.sha256(self.text().encode()).hexdigest()[:32]}.safetensors"


def pooled_features(
    encode: Callable[[Utterance], Tensor],
    utterances: Sequence[Utterance],
    *,
    layer_count: int,
    width: int,
    encoder_hash: str,
    manifest_hash: str,
    crop_seconds: Seconds | None,
    cache: Path,
    advance: Advance,
) -> Tensor:
    """Returns the mean over frames of every hidden state, from the cache when it is there and sound.

    Args:
        encode: Utterance → hidden states (L + 1, T, D) of a frozen encoder.
        utterances: What to encode.
        layer_count: L + 1.
        width: D.
        encoder_hash: Hash of the encoder's weights.
        manifest_hash: Hash of the folder the utterances come from.
        crop_seconds: Hear at most this much from the middle of each utterance [s].
        cache: Folder of the cache.
        advance: Told the utterances done.

    Returns:
        (U, L + 1, D), float32.
    """
    ids = hashlib.sha256("\n".join(utterance.id for utterance in utterances).encode()).hexdigest()
    key = PooledKey(encoder_hash, manifest_hash, ids, crop_seconds)
    shape = (len(utterances), layer_count, width)
    cached = _read_cached(key, cache, shape)
    if cached is not None:
        advance(len(utterances))
        return cached
    pooled = torch.empty(shape)
    for row, utterance in enumerate(utterances):
        pooled[row] = encode(crop_middle(utterance, crop_seconds)).mean(dim=1)
        advance(row + 1)
    with atomic_path(key.path(cache)) as unfinished:
        save_file({"pooled": pooled}, unfinished, metadata={"key": key.text(), "sha256": _checksum(pooled)})
    return pooled


def _read_cached(key: PooledKey, folder: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Returns cached features, None when there are none or the file is not exactly what was written for this key."""
    try:
        with safe_open(key.path(folder), framework="pt") as file:
            metadata = file.metadata() or {}
            pooled: Tensor = file.get_tensor("pooled")
    except (OSError, SafetensorError):
        return None
    is_sound = metadata.get("key") == key.text() and metadata.get("sha256") == _checksum(pooled)
    return pooled if is_sound and pooled.shape == shape else None


def _checksum(pooled: Tensor) -> str:
    return weights_hash({"pooled": pooled})


class HiddenStates:
    """All hidden states of utterances, kept in memory as far as a budget goes and encoded again beyond it.

    They are kept as float32: what is kept is then what encoding again gives, bit for bit, so scores do not depend on
    the budget, and large activations can't overflow. HuBERT base needs 2 MB per second of audio, the tiny one 0.1 MB.
    """

    def __init__(self, encoder: Encoder, *, budget: int) -> None:
        """
        Args:
            encoder: Frozen, in evaluation mode.
            budget: Most memory to use [bytes].
        """
        self._encoder = encoder
        self.budget = budget
        self._kept: dict[str, Tensor] = {}
        self._used = 0
        self._is_full = False

    @property
    def is_full(self) -> bool:
        """Whether something did not fit any more."""
        return self._is_full

    def fetch(self, utterance: Utterance) -> Tensor:
        """Returns the hidden states (L + 1, T, D) of one utterance.

        Raises:
            SpeechftError: The audio can't be read or is too short for a frame.
        """
        if utterance.id in self._kept:
            return self._kept[utterance.id]
        states = hidden_states(self._encoder, utterance)
        size = states.numel() * states.element_size()
        if self._used + size <= self.budget:
            self._kept[utterance.id] = states
            self._used += size
        else:
            self._is_full = True
        return states

    def __contains__(self, utterance: Utterance) -> bool:
        """Whether the utterance's hidden states are in memory."""
        return utterance.id in self._kept
