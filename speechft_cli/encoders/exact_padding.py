"""Batches in which padding changes nothing: an utterance's features are those it has alone.

s3prl's batches, like fairseq's, differ from that in three places. The GroupNorm of a base model's CNN takes its
statistics over the padding too. HuBERT, WavLM and UniSpeech-SAT find the padded frames by cutting the waveform into
equal chunks, which leaves one or two padded frames to be attended to. data2vec's stacked positional convolutions turn
the zeros of padded frames into something else between one and the next. Pre-training crops and never pads, so the
exact way is also what the weights were made for; s3prl's way is what the published SUPERB figures were measured with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.encoders.base import EncoderFamily


class ExactPadding:
    """Makes the network of one encoder exact while it encodes a batch whose lengths it is told.

    It replaces the GroupNorm and the frame mask of the network by ones that do what they did before when no lengths
    are told. Weights keep their names.
    """

    def __init__(self, family: EncoderFamily, network: nn.Module) -> None:
        self._family = family
        self._sample_counts: Sequence[int] | None = None
        if not family.cnn_prefixes:
            return  # DeCoAR 2.0 pads features, and masks what it padded
        self._replace_group_norm(network)
        if hasattr(network, "forward_padding_mask"):
            self._replace_frame_mask(network)
        positions = cast(nn.Sequential, network.get_submodule("encoder.pos_conv"))
        for block in positions:
            if isinstance(block, nn.Sequential):  # only data2vec stacks them
                block.register_forward_hook(self._zero_padding)

    @property
    def sample_counts(self) -> Sequence[int] | None:
        """Samples of each waveform of the batch that is being encoded; None when none of them is padded."""
        return self._sample_counts

    @contextlib.contextmanager
    def of(self, sample_counts: Sequence[int]) -> Iterator[None]:
        """Makes the batch that is encoded within exact.

        Args:
            sample_counts: Samples of each of its waveforms, before padding.
        """
        # a batch without padding is exact as it is
        self._sample_counts = sample_counts if len(set(sample_counts)) > 1 else None
        try:
            yield
        finally:
            self._sample_counts = None

    def _replace_group_norm(self, network: nn.Module) -> None:
        first = cast(nn.Sequential, network.get_submodule("feature_extractor.conv_layers.0"))
        for place, module in enumerate(first):
            if isinstance(module, nn.GroupNorm):
                first[place] = _GroupNorm(module, self._first_layer_counts)

    def _replace_frame_mask(self, network: nn.Module) -> None:
        original = network.forward_padding_mask

        def frame_mask(features: Tensor, padding_mask: Tensor) -> Tensor:
            counts = self._frame_counts()
            if counts is None:
                return cast(Tensor, original(features, padding_mask))  # type: ignore[operator]
            return _is_padding(features.shape[1], counts, features.device)

        network.forward_padding_mask = frame_mask  # type: ignore[assignment]

    def _zero_padding(self, block: nn.Module, inputs: object, output: Tensor) -> Tensor:
        """A hook on a positional convolution, whose output is (B, D, T)."""
        del block, inputs
        counts = self._frame_counts()
        if counts is None:
            return output
        return output.masked_fill(_is_padding(output.shape[2], counts, output.device).unsqueeze(1), 0)

    def _frame_counts(self) -> list[int] | None:
        if self._sample_counts is None:
            return None
        return [self._family.frame_count(count) for count in self._sample_counts]

    def _first_layer_counts(self) -> list[int] | None:
        if self._sample_counts is None:
            return None
        kernel, step = self._family.convolutions[0]
        return [(count - kernel) // step + 1 for count in self._sample_counts]


class _GroupNorm(nn.GroupNorm):
    """A GroupNorm with the weights of another, which normalises each utterance by itself when told the lengths."""

    def __init__(self, original: nn.GroupNorm, lengths: Callable[[], Sequence[int] | None]) -> None:
        super().__init__(original.num_groups, original.num_channels, original.eps, affine=False)
        self.weight, self.bias = original.weight, original.bias
        self._lengths = lengths

    def forward(self, features: Tensor) -> Tensor:
        """Normalises features (B, D, T), in fp32 as fairseq does; padding becomes zero when lengths are told."""
        counts = self._lengths()
        if counts is None:
            return self._normalise(features)
        result = torch.zeros_like(features)
        for index, count in enumerate(counts):
            result[index, :, :count] = self._normalise(features[index : index + 1, :, :count])[0]
        return result

    def _normalise(self, features: Tensor) -> Tensor:
        normalised = nn.functional.group_norm(
            features.float(), self.num_groups, self.weight.float(), self.bias.float(), self.eps
        )
        return normalised.type_as(features)


def _is_padding(frames: int, counts: Sequence[int], device: torch.device) -> Tensor:
    """Returns which frames are padding (B, T)."""
    return torch.arange(frames, device=device) >= torch.tensor(counts, device=device).unsqueeze(1)
