"""An encoder's weights in memory, with all that is needed to write them back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.errors import RequestError, shortened
from speechft_cli.io.arrays import Array, to_array, to_tensor

if TYPE_CHECKING:  # a checkpoint can be read, merged and written without torch
    from torch import Tensor


#: What to do about NaN in a checkpoint.
DIVERGED = "its training diverged, or the file is damaged: take an earlier checkpoint"


class Tensors(Mapping[str, "Tensor"]):
    """Weights that lie in arrays, each seen as a tensor of the same memory when it is asked for."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays

    def __getitem__(self, name: str) -> Tensor:
        """Returns a tensor."""
        return to_tensor(self.arrays[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays


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
    def where(self) -> str:
        """What messages call it: its file, where it has one."""
        return str(self.path or "weights in memory")

    @property
    def arrays(self) -> Mapping[str, Array]:
        """The weights as arrays of the same memory."""
        if isinstance(self.weights, Tensors):
            return self.weights.arrays
        return {name: to_array(tensor) for name, tensor in self.weights.items()}

    @property
    def is_complete(self) -> bool:
        """Whether the configuration is there, so that the encoder can be built and written."""
        return all(key in self.container for key in self.family.required_keys if key != self.family.weights_key)

    @property
    def configuration_hash(self) -> str:
        """The SHA-256 of what features depend on besides weights and audio: how the network is built and fed.

        One encoder may have several, in files of different formats.
        """
        section = self.family.section(self.container, self.family.configuration)
        facts = [_plain(section), self.family.normalizes(self.container)]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def with_weights(self, weights: Mapping[str, Tensor]) -> EncoderCheckpoint:
        """Returns the same encoder with other weights and no file."""
        return replace(self, weights=weights, path=None, format="", filled=frozenset())

    def require_complete(self, so: str = "it can't be built alone") -> None:
        """Makes sure that the configuration is there.

        Args:
            so: What follows for the user where it isn't.

        Raises:
            RequestError: It isn't.
        """
        if not self.is_complete:
            raise RequestError(
                f"{self.where}: has weights but no configuration, so {so}",
                "speechft convert --base FILE gives it the configuration of the encoder it was trained from",
            )

    def require_finite(self) -> None:
        """Makes sure that every weight is a finite number.

        Raises:
            RequestError: There is a NaN or an infinity among them; says in which tensors.
        """
        broken = [name for name, tensor in self.weights.items() if not bool(tensor.isfinite().all())]
        if broken:
            raise RequestError(f"{self.where}: must be finite, has NaN or Inf in {shortened(broken, most=5)}", DIVERGED)

    def tree(self) -> dict[str, object]:
        """Returns the dictionary that s3prl's loader takes, with an array for each weight.

        Raises:
            RequestError: The checkpoint has no configuration.
        """
        return self.tree_of(self.arrays)

    def tree_of(self, weights: Mapping[str, object]) -> dict[str, object]:
        """Returns the dictionary that s3prl's loader takes, with other things in the weights' places.

        Raises:
            RequestError: The checkpoint has no configuration.
        """
        self.require_complete()
        family, rest, filled = self.family, dict(self.container), dict(weights)
        if family.inner_key:
            filled[family.inner_key] = rest.pop(family.inner_key, {})
        return {**rest, family.weights_key: filled}


def _plain(value: object) -> object:
    """Returns what a configuration holds, objects of other software too, as JSON has it."""
    match value:
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case str() | int() | float() | None:
            return value
        case _:
            return _plain(vars(value)) if hasattr(value, "__dict__") else str(value)
