"""What one frozen encoder makes of utterances: encoded once for all tasks, kept where it fits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.probing.encoding import (
    VERSION,
    Batching,
    Needs,
    ReadWaveform,
    encode_batch,
    plan_batches,
    read_ahead,
    stretch_name,
)
from speechft_cli.probing.store import FeatureStore

#: Told how many utterances are done.
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Share:
    """Which part of the encoding this process does: batches `rank`, `rank + world`, and so on."""

    rank: int = 0
    world: int = 1


@dataclass(frozen=True)
class Keeping:
    """Where features are kept, and how.

    Attributes:
        cache: Folder of the stores.
        manifest_hash: Of the manifests that the utterances come from.
        batching: How utterances share a batch.
        are_frames_alone: Whether each utterance whose hidden states are needed is encoded alone, which a CPU does as
            fast; a GPU would mostly wait for its next kernel.
        memory: Most memory that hidden states take [bytes].
        disk: Most that all stores take on the disk [bytes].
        precision: Of hidden states: what is kept is what every probe hears, wherever it lies.
    """

    cache: Path
    manifest_hash: str
    batching: Batching
    are_frames_alone: bool
    memory: int
    disk: int
    precision: torch.dtype


class Features:
    """The features of one frozen encoder.

    Mean-pooled vectors go to disk, for this run and later ones. Hidden states, which are some hundred times as large,
    stay in memory, then go to disk, and are made again at each use where neither has room.
    """

    def __init__(
        self,
        build: Callable[[], FrozenEncoder],
        identity: str,
        needs: Needs,
        keeping: Keeping,
        *,
        read: ReadWaveform,
    ) -> None:
        """
        Args:
            build: Returns the encoder, frozen, in evaluation mode, with exact padding unless batching is stock;
                called at most once, and only when needed.
            identity: Of the encoder; two with the same make the same features.
            needs: What will be asked for.
            keeping: Where features are kept.
            read: Utterance → waveform.
        """
        self._build = build
        self._encoder: FrozenEncoder | None = None
        self._keeping = keeping
        self._read = read
        self._pooled_names = {stretch_name(each) for each in needs.pooled}
        self._frame_names = {stretch_name(each) for each in needs.frames}
        self._batches = needs.plan(keeping.batching, are_frames_alone=keeping.are_frames_alone)
        self._batch_of = {stretch_name(each): batch for batch in self._batches for each in batch}
        self._memory: dict[str, Tensor] = {}
        self._memory_bytes = 0
        self._is_full = False
        key: dict[str, object] = {
            "version": VERSION,
            "encoder": identity,
            "manifests": keeping.manifest_hash,
            "batching": keeping.batching,
        }
        if keeping.batching == "stock":  # who shares a batch changes the features
            key["plan"] = hashlib.sha256("\n".join(self._batch_of).encode()).hexdigest()
        precision = str(keeping.precision).removeprefix("torch.")
        self._pooled_store = FeatureStore(keeping.cache, {"kind": "pooled", **key})
        self._frame_store = FeatureStore(keeping.cache, {"kind": "frames", "precision": precision, **key})

    @property
    def stores(self) -> tuple[FeatureStore, FeatureStore]:
        """Where its features lie on disk."""
        return self._pooled_store, self._frame_store

    def count(self, share: Share) -> int:
        """Returns how many utterances and crops are this process's share."""
        return sum(map(len, self._batches[share.rank :: share.world]))

    def encode(self, share: Share, advance: Advance) -> None:
        """Encodes what is not there yet, each utterance once for all that is made of it.

        What is done when this is interrupted is on disk.

        Args:
            share: Which part this process does.
            advance: Told the utterances done, of its part.

        Raises:
            SpeechftError: A recording can't be read, or the disk is full.
        """
        there = self._pooled_store.get_all(self._pooled_names).keys()

        def is_wanted(batch: Sequence[Utterance]) -> bool:
            names = [stretch_name(each) for each in batch]
            lacks_pooled = any(name in self._pooled_names and name not in there for name in names)
            lacks_frames = any(name in self._frame_names and not self._has_frames(name) for name in names)
            return lacks_pooled or (lacks_frames and not self._is_full)

        mine = self._batches[share.rank :: share.world]
        done = 0
        try:
            read = read_ahead((batch if is_wanted(batch) else [] for batch in mine), self._read)
            for batch, waveforms in zip(mine, read, strict=True):
                if waveforms and is_wanted(batch):  # asked again: there may be no room left since it was read
                    self._encode(batch, waveforms, share)
                done += len(batch)
                advance(done)
        finally:
            for store in self.stores:
                store.flush()

    def reload(self) -> None:
        """Looks at what other processes have encoded."""
        for store in self.stores:
            store.reload()

    def pooled(self, utterances: Sequence[Utterance]) -> Tensor:
        """Returns the mean over frames of every hidden state: (U, L + 1, D), float32; encodes what is missing.

        Raises:
            SpeechftError: A recording can't be read, or the disk is full.
        """
        names = [stretch_name(each) for each in utterances]
        found = self._pooled_store.get_all(names)
        if missing := [name for name in names if name not in found]:  # somebody removed it, or it was damaged
            self._encode_batches(self._planned(missing), set())
            found |= self._pooled_store.get_all(missing)
        return torch.stack([found[name] for name in names])

    def hidden_states(self, utterances: Sequence[Utterance]) -> list[Tensor]:
        """Returns all hidden states of each utterance (L + 1, T_i, D), float32 on the CPU.

        Raises:
            SpeechftError: The audio can't be read or is too short for a frame.
        """
        by_name = {stretch_name(each): each for each in utterances}
        kept = {name: self._memory[name] for name in by_name if name in self._memory}
        kept |= self._frame_store.get_all(by_name.keys() - kept.keys())
        if missing := [name for name in by_name if name not in kept]:
            is_planned = self._keeping.are_frames_alone or self._keeping.batching == "stock"
            batches = (
                self._planned(missing) if is_planned else plan_batches([by_name[name] for name in missing], "exact")
            )
            kept |= self._encode_batches(batches, set(missing))
        for name in by_name:
            if name not in self._memory:
                self._keep_in_memory(name, kept[name])
        return [kept[stretch_name(each)].float() for each in utterances]

    def without_a_place(self, utterances: Sequence[Utterance]) -> int:
        """Returns how many of the utterances' hidden states are neither in memory nor on disk."""
        return sum(not self._has_frames(stretch_name(each)) for each in utterances)

    def forget(self) -> None:
        """Gives the memory of the encoder and of hidden states back."""
        self._encoder = None
        self._memory, self._memory_bytes = {}, 0

    def _planned(self, names: Iterable[str]) -> list[list[Utterance]]:
        """Returns the batches of the plan that hold some utterances or crops, each once."""
        batches = [self._batch_of[name] for name in names]
        return list({stretch_name(batch[0]): batch for batch in batches}.values())

    def _encode_batches(self, batches: Sequence[list[Utterance]], wanted: Collection[str]) -> dict[str, Tensor]:
        """Encodes batches and returns the hidden states that are wanted: a batch may hold far more."""
        made: dict[str, Tensor] = {}
        for batch, waveforms in zip(batches, read_ahead(batches, self._read), strict=True):
            encoded = self._encode(batch, waveforms, Share())
            made |= {name: encoded[name] for name in encoded.keys() & wanted}
        return made

    @torch.no_grad()
    def _encode(self, batch: Sequence[Utterance], waveforms: Sequence[Tensor], share: Share) -> dict[str, Tensor]:
        """Encodes a batch, keeps what is needed where there is room, and returns the hidden states as they are kept."""
        if self._encoder is None:
            self._encoder = self._build()
        encoded = {}
        states = encode_batch(self._encoder, batch, waveforms)
        for utterance, own in zip(batch, states, strict=True):
            name = stretch_name(utterance)
            if name in self._pooled_names and name not in self._pooled_store:
                self._pooled_store.add(name, own.mean(dim=1).cpu())
            if name in self._frame_names:
                encoded[name] = own.to(self._keeping.precision).cpu()
                if not self._has_frames(name):
                    self._keep(name, encoded[name], share)
        return encoded

    def _has_frames(self, name: str) -> bool:
        return name in self._memory or name in self._frame_store

    def _keep(self, name: str, states: Tensor, share: Share) -> None:
        # what one process has in memory, the one that trains can't read
        if share.world == 1 and self._keep_in_memory(name, states):
            return
        if self._frame_store.bytes + states.nbytes <= self._keeping.disk:
            self._frame_store.add(name, states)
        else:
            self._is_full = True

    def _keep_in_memory(self, name: str, states: Tensor) -> bool:
        if self._memory_bytes + states.nbytes > self._keeping.memory:
            return False
        self._memory[name] = states
        self._memory_bytes += states.nbytes
        return True
