"""An encoder's weights in memory, with all that is needed to write them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.errors import RequestError


@dataclass(frozen=True)
class EncoderCheckpoint:
    """The weights of one encoder.

    Attributes:
        family: The facts of its family.
        weights: Name (s3prl's, for example `encoder.layers.0.fc1.weight`) → tensor, on the CPU.
        container: The rest of an s3prl converted checkpoint: configuration and symbols. Empty when the file has
            only weights, as an s3prl downstream run does.
        path: The file it was read from; None for weights made in memory.
        format: The name of the format it was read from; empty for weights made in memory.
        filled: Names of weights that the file does not have and that are zeros here, so that s3prl's loader is
            content: what only pre-training uses, for which transformers has no place.
    """

    family: EncoderFamily
    weights: Mapping[str, Tensor]
    container: Mapping[str, object]
    path: Path | None = None
    format: str = ""
    filled: frozenset[str] = frozenset()

    @property
    def is_complete(self) -> bool:
        """Whether the configuration is there, so that the encoder can be built and written."""
        return all(key in self.container for key in self.family.required_keys if key != self.family.weights_key)

    def with_weights(self, weights: Mapping[str, Tensor]) -> EncoderCheckpoint:
        """Returns the same encoder with other weights and no file."""
        return replace(self, weights=weights, path=None, format="", filled=frozenset())

    def require_complete(self) -> None:
        """Makes sure that the configuration is there.

        Raises:
            RequestError: It isn't.
        """
        if not self.is_complete:
            raise RequestError(
                f"{self.path}: has weights but no configuration, so it can't be built alone",
                "merge it with its base checkpoint, which brings the configuration",
            )

    def tree(self) -> dict[str, object]:
        """Returns the dictionary that s3prl's loader takes, with tensors that own their memory.

        Raises:
            RequestError: The checkpoint has no configuration.
        """
        self.require_complete()
        family = self.family
        weights: dict[str, object] = {name: _own(tensor.detach().cpu()) for name, tensor in self.weights.items()}
        rest = dict(self.container)
        if family.inner_key:
            weights[family.inner_key] = rest.pop(family.inner_key, {})
        return {**rest, family.weights_key: weights}


def _own(tensor: Tensor) -> Tensor:
    """Copies a view of a larger tensor, which would drag the whole storage into the file."""
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor
