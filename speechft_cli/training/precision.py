"""In which numbers an update computes; weights, gradients and Adam's moments are float32 whatever is chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

PrecisionName = Literal["fp32", "bf16", "fp16"]

#: float16 overflows at 65504, so losses are scaled so that gradients fill its range. As torch's GradScaler does.
_FIRST_SCALE = 2.0**16
_STEADY = 2_000


@dataclass
class Precision:
    """Autocast, and for float16 the scale of the loss, which lives on the device so that nobody waits for it.

    Attributes:
        name: fp32, bf16 or fp16.
        scale: What the loss is multiplied by; None where nothing is scaled.
        steady: Updates since the scale last changed.
    """

    name: PrecisionName = "fp32"
    scale: Tensor | None = None
    steady: Tensor | None = None

    @classmethod
    def on(cls, name: PrecisionName, device: torch.device) -> Precision:
        """Returns a fresh precision for a device."""
        if name != "fp16":
            return cls(name)
        return cls(name, torch.tensor(_FIRST_SCALE, device=device), torch.tensor(0.0, device=device))

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager[object]:
        """Returns the block inside which products are computed in the chosen numbers."""
        if self.name == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(device.type, torch.bfloat16 if self.name == "bf16" else torch.float16)

    def scaled(self, loss: Tensor) -> Tensor:
        """Returns the loss to differentiate."""
        return loss if self.scale is None else loss * self.scale

    def unscale(self, gradients: Sequence[Tensor]) -> None:
        """Takes the scale out of the gradients again."""
        if self.scale is not None:
            torch._foreach_mul_(list(gradients), 1.0 / self.scale)

    def adapt(self, is_finite: Tensor) -> None:
        """Halves the scale after an overflow, doubles it after a long time without one."""
        if self.scale is None or self.steady is None:
            return
        self.steady.copy_(torch.where(is_finite, self.steady + 1, 0.0))
        grown = torch.where(self.steady >= _STEADY, self.scale * 2, self.scale)
        self.scale.copy_(torch.where(is_finite, grown, self.scale / 2))
        self.steady.copy_(torch.where(self.steady >= _STEADY, 0.0, self.steady))

    def is_fault(self, is_finite: Tensor) -> Tensor:
        """Whether a gradient that is not finite says something about the data: with fp16, only when unscaled."""
        return ~is_finite if self.scale is None else ~is_finite & (self.scale <= 1)
