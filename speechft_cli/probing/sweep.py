"""Which learning rate a probe gets: the best on dev, looked for beyond the range when it lies at its edge."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.probing.probe import Trained
from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.metrics import mean

#: Learning rates that a sweep never leaves: SUPERB's own range, and one step beyond it.
_SMALLEST, _LARGEST = 1e-8, 1.0

#: (encoders, learning rates) → per encoder: learning rate → the probes of the seeds.
Train = Callable[[Sequence[int], Sequence[float]], Sequence[Mapping[float, Sequence[Trained]]]]


@dataclass(frozen=True)
class Swept:
    """What was chosen for one encoder: the learning rate of its probes, or its layer where nothing is trained.

    Attributes:
        learning_rate: The one whose probes are best on dev, as the mean over the seeds; None where nothing is trained.
        tried: (learning rate or layer, first metric on dev, mean over the seeds), rising.
        is_edge: Whether it is the smallest or the largest of several tried; a layer never is.
        probes: The chosen probes, one per seed.
        layer: The one that is best on dev, where nothing is trained.
    """

    learning_rate: float | None
    tried: tuple[tuple[float, float], ...]
    is_edge: bool
    probes: tuple[Trained, ...]
    layer: int | None = None

    def text(self) -> str:
        """Returns the choice in words, for example `learning rate 0.01`."""
        return f"layer {self.layer}" if self.learning_rate is None else f"learning rate {self.learning_rate:g}"


def sweep_learning_rates(
    metric: Metric, train: Train, *, encoders: int, learning_rates: Sequence[float], extensions: int
) -> list[Swept]:
    """Tries learning rates and chooses one per encoder.

    Where the best one lies at the edge of several, the range is extended there by its own step, at most `extensions`
    times. A single learning rate is no range: it is taken as it is.

    Args:
        metric: The task's first metric.
        train: Trains probes; sees train and dev and nothing else.
        encoders: How many there are.
        learning_rates: To begin with.
        extensions: How often to extend.
    """
    first = sorted(dict.fromkeys(learning_rates))
    found: list[dict[float, Sequence[Trained]]] = [dict(each) for each in train(range(encoders), first)]
    for _ in range(extensions):
        wanted: dict[float, list[int]] = {}
        for encoder, probes in enumerate(found):
            beyond = _beyond(sorted(probes), _best(metric, probes))
            if beyond is not None:
                wanted.setdefault(beyond, []).append(encoder)
        for rate, chosen in wanted.items():
            for encoder, more in zip(chosen, train(chosen, [rate]), strict=True):
                found[encoder].update(more)
    return [_swept(metric, probes) for probes in found]


def _swept(metric: Metric, probes: Mapping[float, Sequence[Trained]]) -> Swept:
    best, rates = _best(metric, probes), sorted(probes)
    tried = tuple((rate, mean([each.dev[metric.name] for each in probes[rate]])) for rate in rates)
    return Swept(best, tried, len(rates) > 1 and best in (rates[0], rates[-1]), tuple(probes[best]))


def _best(metric: Metric, probes: Mapping[float, Sequence[Trained]]) -> float:
    """Returns the best learning rate by the mean metric, of equals by the mean loss; what is not a number is worst."""
    sign = -1 if metric.better == "higher" else 1

    def badness(rate: float) -> tuple[float, float]:
        value = mean([each.dev[metric.name] for each in probes[rate]])
        loss = mean([each.loss for each in probes[rate]])
        return sign * value if math.isfinite(value) else math.inf, loss if math.isfinite(loss) else math.inf

    return min(sorted(probes), key=badness)


def _beyond(rates: Sequence[float], best: float) -> float | None:
    """Returns the next learning rate beyond the edge that `best` is; None when it is none, or nothing lies there."""
    if len(rates) < 2 or rates[0] < best < rates[-1]:
        return None
    beyond = best * best / (rates[1] if best == rates[0] else rates[-2])
    beyond = float(f"{beyond:.3g}")  # 0.01 · 0.01 / 0.1 is not quite 0.001
    return beyond if _SMALLEST <= beyond <= _LARGEST else None
