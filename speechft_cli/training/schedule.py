"""Stable fine-tuning's schedule: when the encoder trains, and at which learning rate.

Source: Speech-FT, Lin et al. 2026, arXiv 2502.12672 (head alone for the first β of the updates); learning rate as in
its released configuration: 10 % linear rise, 40 % hold, 50 % linear fall to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Stage = Literal["frozen", "warm-up", "hold", "decay"]


@dataclass(frozen=True)
class StableSchedule:
    """Everything is a pure function of the number of updates already made.

    Attributes:
        steps: Optimizer updates in all.
        frozen_share: β, the share of the updates in which only the head trains.
        warmup_share: Share in which the learning rate rises linearly from 0.
        hold_share: Share in which it stays at its peak; afterwards it falls linearly to 0.
        end_share: Share after which the run ends, whatever the rate is then.
    """

    steps: int
    frozen_share: float = 0.1
    warmup_share: float = 0.1
    hold_share: float = 0.4
    end_share: float = 1.0

    @property
    def end(self) -> int:
        """Updates that are made."""
        return max(1, round(self.end_share * self.steps))

    @property
    def frozen_steps(self) -> int:
        """Updates in which only the head trains."""
        return int(self.frozen_share * self.steps)

    @property
    def warmup_steps(self) -> int:
        """Updates until the learning rate is at its peak."""
        return int(self.warmup_share * self.steps)

    @property
    def hold_end(self) -> int:
        """Update at which the learning rate begins to fall."""
        return self.warmup_steps + int(self.hold_share * self.steps)

    def is_encoder_frozen(self, step: int) -> bool:
        """Whether the update after `step` updates leaves the encoder alone."""
        return step < self.frozen_steps

    def phases(self, step: int) -> list[bool]:
        """Returns, for each phase that is left after `step` updates, whether the encoder is frozen in it."""
        return [True] * (step < self.frozen_steps) + [False] * (self.frozen_steps < self.end)

    def rate(self, step: int) -> float:
        """Returns the learning rate of the update after `step` updates, as a share of its peak."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if step < self.hold_end or self.hold_end >= self.steps:
            return 1.0
        if step >= self.steps:
            return 0.0
        return (self.steps - step) / (self.steps - self.hold_end)

    def stage(self, step: int) -> Stage:
        """Returns what the update after `step` updates is called; a frozen encoder goes before the rate's shape."""
        if self.is_encoder_frozen(step):
            return "frozen"
        if step < self.warmup_steps:
            return "warm-up"
        if step < self.hold_end:
            return "hold"
        return "decay"

    def stages(self) -> list[tuple[Stage, int, int]]:
        """Returns (stage, first update, update after the last) up to `end`, in order; updates count from 0."""
        edges = sorted({0, self.frozen_steps, self.warmup_steps, self.hold_end, self.end})
        spans: list[tuple[Stage, int, int]] = []
        for first, end in pairwise(edge for edge in edges if edge <= self.end):
            if spans and spans[-1][0] == self.stage(first):
                first = spans.pop()[1]
            spans.append((self.stage(first), first, end))
        return spans
