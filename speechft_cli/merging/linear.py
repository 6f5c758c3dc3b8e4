"""Linear interpolation, the merge of Speech-FT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from speechft_cli.merging.base import Curve


@dataclass(frozen=True)
class Linear:
    """θ0 + α · mean_k(θ'_k − θ0): the mean of the task vectors, not their sum.

    Rounds where the published code does, twice, so that its results are reproduced bit for bit. That makes alpha 1
    miss the tuned model by a rounding error; with one tuned model alpha 1 is therefore that model itself.

    Source: Lin et al. 2026, "Speech-FT", TASLP 34, arXiv 2502.12672, eq. 1; `linear` in merge_utils.py of
        github.com/nervjack2/Speech-FT for several models.
    """

    name: str = "linear"
    parameters: Mapping[str, object] = field(default_factory=dict)

    def curve(self, base: Tensor, tuned: Sequence[Tensor]) -> Curve:
        """Returns alpha → base + alpha · mean task vector."""
        task_vector = tuned[0] - base
        for other in tuned[1:]:
            task_vector += other - base
        task_vector /= len(tuned)

        def at(alpha: float) -> Tensor:
            if alpha == 1 and len(tuned) == 1:
                return tuned[0]
            # two roundings; torch.lerp and addcmul have one
            return (task_vector * alpha).add_(base)

        return at


LINEAR = Linear()
