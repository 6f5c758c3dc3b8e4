"""What a CNN makes of waveforms, kept for the next encoder that has the same CNN.

Fine-tuning leaves the CNN alone, so a base, what is tuned from it and all that lies between the two share theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from torch import Tensor

from speechft_cli.io.arrays import array_bytes, to_array


class CnnOutputs:
    """The outputs of one CNN by what it heard; those of another one take their place."""

    def __init__(self, *, budget: int) -> None:
        """
        Args:
            budget: Most memory to use [bytes].
        """
        self._budget = budget
        self._left = budget
        self._weights = ""
        self._kept: dict[bytes, Tensor] = {}

    def of(
        self, inputs: Tensor, lengths: Sequence[int] | None, *, weights: str, run: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Returns the output of a CNN.

        Args:
            inputs: What it hears (B, N).
            lengths: Samples of each waveform before padding, if the output depends on that.
            weights: The hash of its weights.
            run: The CNN, which must do the same with the same inputs, lengths and weights.

        Returns:
            What `run` returned for the same the first time (B, C, T); not to be changed.
        """
        if weights != self._weights:
            self.forget()
            self._weights = weights
        digest = hashlib.sha256(f"{tuple(inputs.shape)} {inputs.dtype} {lengths}\n".encode())
        digest.update(array_bytes(to_array(inputs)))
        key = digest.digest()
        kept = self._kept.get(key)
        if kept is not None:
            return kept.to(inputs.device)
        output = run(inputs)
        if output.nbytes <= self._left:
            self._left -= output.nbytes
            self._kept[key] = output.detach().cpu()
        return output

    def forget(self) -> None:
        """Gives the memory back."""
        self._left, self._kept = self._budget, {}
