"""What methods that ask statistics have in common."""

from __future__ import annotations

from typing import ClassVar

from speechft_cli.merging.base import Weight, WeightedMethod
from speechft_cli.merging.statistic import Statistic


class MeasuredMethod(WeightedMethod):
    """A method that asks statistics how much each tuned model has to say; the weights scale the statistics.

    With one tuned model there would be nobody to weigh it against.
    """

    statistic: ClassVar[Statistic | None]
    proviso: ClassVar[str] = "where their statistics are alike"
    fewest: ClassVar[int] = 2

    weight: Weight = (1.0,)
    """What each model's statistics are multiplied by: one number for all tuned models, or one for each; above 0."""

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns what alpha 1 adds of each task vector where all models' statistics are the same."""
        weights = self.weights(count)
        return tuple(weight / sum(weights) for weight in weights)

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        found = super().problems(count)
        wrong = [weight for weight in self.weight if weight <= 0]
        if wrong:
            found.append(f"weight: must be above 0 in {self.name}, got {wrong[0]:g}")
        return found
