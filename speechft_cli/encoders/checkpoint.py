"""An encoder's weights in memory, with all that is needed to write them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from speechft_cli.encoders.base import EncoderFamily


@dataclass(frozen=True)
class EncoderCheckpoint:
    """The weights of one encoder.

    Attributes:
        family: The facts of its family.
        weights: Name (s3prl's, for example `encoder.layers.0.fc1.weight`) → tensor, on the CPU.
        container: The rest of an s3prl converted checkpoint: configuration and symbols. Empty when the file has
            only weights, as an s3prl downstream run does.
        path: The file it was read from; None for weights made in memory.
    """

    family: EncoderFamily
    weights: Mapping[str, Tensor]
    container: Mapping[str, object]
    path: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the configuration is there, so that the encoder can be built and written."""
        return all(key in self.container for key in self.family.required_keys if key != self.family.weights_key)

    def with_weights(self, weights: Mapping[str, Tensor]) -> EncoderCheckpoint:
        """Returns the same encoder with other weights and no file."""
        return replace(self, weights=weights, path=None)
