"""What a merge method is: a curve through weight space. Methods are pure: no files, no global state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

#: alpha → tensor. One curve serves a whole grid, so what does not depend on alpha is computed when it is drawn.
Curve = Callable[[float], Tensor]


class MergeMethod(Protocol):
    """A merge method.

    `draw` in merging/weights.py is the only caller, and it takes care of what is the same for all methods: the
    precision, the way back to the stored dtype, and that alpha 0 is the base. A method that has to see all tensors
    at once, as TIES does to trim a whole task vector, will need a step before `curve`; that step belongs there too.
    """

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        ...

    @property
    def parameters(self) -> Mapping[str, object]:
        """Its settings besides alpha, as they are recorded in merge.json."""
        ...

    def curve(self, base: Tensor, tuned: Sequence[Tensor]) -> Curve:
        """Draws the curve of one tensor.

        Args:
            base: θ0, in fp32 or fp64; not changed.
            tuned: The θ'_k, at least one, of the shape and dtype of `base`; not changed.

        Returns:
            alpha → θ̂, of the same shape and dtype. Any finite alpha is allowed; outside [0, 1] it extrapolates.
        """
        ...
