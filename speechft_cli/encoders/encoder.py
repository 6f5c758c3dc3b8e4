"""An encoder that runs: one interface for all families."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from speechft_cli.encoders.base import MASK_EMBEDDING, EncoderFamily, Framing
from speechft_cli.encoders.cnn_outputs import CnnOutputs
from speechft_cli.encoders.exact_padding import ExactPadding
from speechft_cli.encoders.quiet import quiet
from speechft_cli.errors import SpeechftError
from speechft_cli.io.hashes import weights_hash


@dataclass(frozen=True)
class Encoded:
    """What an encoder makes of a batch.

    Attributes:
        hidden_states: L + 1 tensors (B, T, D): the Transformer's input, then the output of each of its L layers.
            Frames past an utterance's own count hold whatever padding turned into.
        frame_counts: Frames of each utterance (B,), by the family's formula.
    """

    hidden_states: tuple[Tensor, ...]
    frame_counts: Tensor

    @property
    def last(self) -> Tensor:
        """The output of the last layer (B, T, D)."""
        return self.hidden_states[-1]


class FrozenEncoder(Protocol):
    """What probes hear: something that makes frames of speech and is never trained."""

    @property
    def kind(self) -> str:
        """The family's name, or what else it is."""

    @property
    def framing(self) -> Framing:
        """How it makes frames."""

    @property
    def device(self) -> torch.device:
        """Where waveforms must lie."""

    @property
    def configuration(self) -> str:
        """Hash of what features depend on besides weights and audio; empty where that is nothing."""

    def __call__(self, waveforms: Sequence[Tensor]) -> Encoded:
        """Encodes a batch of waveforms (N_i,), 16 kHz, in [-1, 1]."""

    def weights(self) -> Mapping[str, Tensor]:
        """Returns the numbers that features depend on, by name."""


class Encoder(nn.Module):
    """An s3prl expert behind one interface for all families.

    Never deep-copy or pickle it: s3prl's hooks do not survive that. Build a second one or copy weights.
    """

    def __init__(
        self, family: EncoderFamily, expert: nn.Module, *, configuration: str, exact_padding: bool = False
    ) -> None:
        """Wraps an expert.

        Args:
            family: Its facts.
            expert: s3prl's `UpstreamExpert`; changed so that it can pad exactly.
            configuration: Hash of what its features depend on besides weights and audio.
            exact_padding: Whether an utterance's features in a batch are those it has alone. If not, batches are
                padded as s3prl pads them, which the published figures were measured with.
        """
        super().__init__()
        self.family = family
        self.expert = expert
        self.configuration = configuration
        self._is_exact = exact_padding
        self._padding = ExactPadding(family, self.model)

    @property
    def model(self) -> nn.Module:
        """The network itself; its weights carry the names of an EncoderCheckpoint."""
        return self.expert.get_submodule(self.family.network_place)

    @property
    def kind(self) -> str:
        """The family's name."""
        return self.family.name

    @property
    def framing(self) -> Framing:
        """How it makes frames."""
        return self.family.framing

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    @property
    def width(self) -> int:
        """D, the size of a frame's feature vector."""
        return int(self.model.encoder.embedding_dim)  # type: ignore[union-attr, arg-type]

    @property
    def layers(self) -> nn.ModuleList:
        """The L Transformer layers."""
        layers = self.model.encoder.layers  # type: ignore[union-attr]
        assert isinstance(layers, nn.ModuleList)
        return layers

    @property
    def mask_name(self) -> str | None:
        """Name of the embedding that takes the place of hidden frames; None for a family that has none."""
        return MASK_EMBEDDING if hasattr(self.model, MASK_EMBEDDING) else None

    def let_cnn_train(self) -> None:
        """Lets gradients into the CNN, which s3prl's experts keep out, scaled as in HuBERT's pre-training."""
        self.model.feature_grad_mult = 0.1  # type: ignore[assignment]

    def share_cnn(self, outputs: CnnOutputs) -> None:
        """Takes what the CNN makes of waveforms from there, where another encoder with the same CNN has heard them.

        To be asked of a frozen encoder only, once its weights are those that it will keep.
        """
        if not self.family.cnn_prefixes:
            return
        cnn = self.model.feature_extractor
        assert isinstance(cnn, nn.Module)
        weights, run = weights_hash(cnn.state_dict()), cnn.forward

        def recall(inputs: Tensor) -> Tensor:
            return outputs.of(inputs, self._padding.sample_counts, weights=weights, run=run)

        cnn.forward = recall

    def forward(
        self, waveforms: Sequence[Tensor], mask: Tensor | None = None, *, exact_padding: bool = False
    ) -> Encoded:
        """Encodes a batch of waveforms (N_i,), 16 kHz, in [-1, 1].

        Without exact padding, what a batch's padding does depends on the family (docs/formats.md); a batch of one is
        never padded.

        Args:
            waveforms: What to encode.
            mask: Frames to hide from the Transformer (B, T): the mask embedding takes their place.
            exact_padding: Whether padding is exact also where the encoder was built to pad as s3prl does.

        Raises:
            SpeechftError: A waveform is too short for a single frame.
        """
        counts = [self.family.frame_count(len(waveform)) for waveform in waveforms]
        if min(counts) == 0:
            shortest = min(len(waveform) for waveform in waveforms)
            raise SpeechftError(f"waveform: must give at least one frame, got {shortest} samples at 16 kHz")
        lengths = [len(waveform) for waveform in waveforms]
        padding = self._padding.of(lengths) if self._is_exact or exact_padding else contextlib.nullcontext()
        with padding, self._hiding(mask):
            hidden_states = self.expert(list(waveforms), **self.family.call)["hidden_states"]
        return Encoded(tuple(hidden_states), torch.tensor(counts, device=waveforms[0].device))

    @contextlib.contextmanager
    def _hiding(self, mask: Tensor | None) -> Iterator[None]:
        # the expert itself never masks; between the CNN's projection and the Transformer is the Transformer's input
        if mask is None:
            yield
            return
        transformer, embedding = self.model.encoder, getattr(self.model, MASK_EMBEDDING)

        def hide(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            del module
            features, *rest = inputs
            return (torch.where(mask[:, :, None], embedding.to(features.dtype), features), *rest)

        handle = transformer.register_forward_pre_hook(hide)  # type: ignore[union-attr]
        try:
            yield
        finally:
            handle.remove()

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights by their checkpoint names, sharing memory with the network."""
        with quiet():
            return dict(self.model.state_dict())
