"""Units of the frames of many utterances: two bytes each, mapped into memory, shared by all processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Units:
    """Targets of masked prediction.

    Attributes:
        values: The units of all utterances in a row (frames,).
        ends: Where each utterance's end in them (utterances,).
    """

    values: NDArray[np.int16]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Sequence[int]:
        """Returns the units of an utterance (T,), a copy."""
        first = int(self.ends[index - 1]) if index else 0
        return cast("Sequence[int]", np.array(self.values[first : int(self.ends[index])]))
