import math
from collections.abc import Mapping, Sequence

from speechft_cli.probing.probe import Trained
from speechft_cli.probing.sweep import sweep_learning_rates
from speechft_cli.tasks.base import Metric

ACCURACY = Metric("acc", "acc", "%", "higher")
ERRORS = Metric("per", "PER", "%", "lower")


class Laboratory:
    """Trains probes whose dev score is known: a peak over the logarithm of the learning rate."""

    def __init__(self, metric: Metric, *peaks: float, spread: float = 0.0) -> None:
        self.metric, self.peaks, self.spread = metric, peaks, spread
        self.asked: list[tuple[list[int], list[float]]] = []

    def __call__(self, encoders: Sequence[int], rates: Sequence[float]) -> list[Mapping[float, Sequence[Trained]]]:
        self.asked.append((list(encoders), list(rates)))
        return [
            {rate: [self.probe(self.peaks[each], rate, seed) for seed in (-1, 1)] for rate in rates}
            for each in encoders
        ]

    def probe(self, peak: float, rate: float, seed: int) -> Trained:
        distance = abs(math.log10(rate / peak)) + self.spread * seed
        value = 90 - 10 * distance if self.metric.better == "higher" else 10 + 10 * distance
        return Trained(1, {self.metric.name: value}, distance, {})


def test_a_best_rate_inside_the_range_is_taken_without_more_ado() -> None:
    laboratory = Laboratory(ACCURACY, 1e-2)
    (swept,) = sweep_learning_rates(ACCURACY, laboratory, encoders=1, learning_rates=[1e-1, 1e-2, 1e-3], extensions=5)
    assert (swept.learning_rate, swept.is_edge, len(laboratory.asked)) == (1e-2, False, 1)
    assert [rate for rate, _ in swept.tried] == [1e-3, 1e-2, 1e-1]


def test_the_range_is_extended_until_the_best_is_inside() -> None:
    laboratory = Laboratory(ERRORS, 1e-5)
    (swept,) = sweep_learning_rates(ERRORS, laboratory, encoders=1, learning_rates=[1e-2, 1e-3], extensions=5)
    assert (swept.learning_rate, swept.is_edge) == (1e-5, False)
    assert [rates for _, rates in laboratory.asked] == [[1e-3, 1e-2], [1e-4], [1e-5], [1e-6]]


def test_extending_ends_and_the_edge_is_flagged() -> None:
    laboratory = Laboratory(ACCURACY, 10.0)
    (swept,) = sweep_learning_rates(ACCURACY, laboratory, encoders=1, learning_rates=[1e-3, 1e-2], extensions=1)
    assert (swept.learning_rate, swept.is_edge) == (1e-1, True)


def test_no_rate_beyond_one_is_tried() -> None:
    laboratory = Laboratory(ACCURACY, 10.0)
    (swept,) = sweep_learning_rates(ACCURACY, laboratory, encoders=1, learning_rates=[2.5e-1, 5e-1], extensions=5)
    assert [rates for _, rates in laboratory.asked[1:]] == [[1.0]]
    assert (swept.learning_rate, swept.is_edge) == (1.0, True)


def test_only_encoders_at_an_edge_are_trained_further_each_on_its_side() -> None:
    laboratory = Laboratory(ACCURACY, 1.0, 1e-2, 1e-4)
    swept = sweep_learning_rates(ACCURACY, laboratory, encoders=3, learning_rates=[1e-1, 1e-2, 1e-3], extensions=1)
    assert laboratory.asked[1:] == [([0], [1.0]), ([2], [1e-4])]
    assert [each.learning_rate for each in swept] == [1.0, 1e-2, 1e-4]


def test_a_single_rate_is_no_range() -> None:
    laboratory = Laboratory(ACCURACY, 1.0)
    (swept,) = sweep_learning_rates(ACCURACY, laboratory, encoders=1, learning_rates=[1e-2], extensions=3)
    assert (swept.learning_rate, swept.is_edge, len(laboratory.asked)) == (1e-2, False, 1)


def test_the_mean_over_seeds_decides_and_what_diverged_is_worst() -> None:
    def train(encoders: Sequence[int], rates: Sequence[float]) -> list[dict[float, list[Trained]]]:
        scores = {1e-1: (95.0, 50.0), 1e-2: (80.0, 80.0), 1e-3: (math.nan, 99.0)}
        return [
            {rate: [Trained(1, {"acc": value}, 1.0, {}) for value in scores[rate]] for rate in rates} for _ in encoders
        ]

    (swept,) = sweep_learning_rates(ACCURACY, train, encoders=1, learning_rates=[1e-3, 1e-2, 1e-1], extensions=0)
    assert swept.learning_rate == 1e-2


def test_of_equal_scores_the_lower_loss_decides() -> None:
    def train(encoders: Sequence[int], rates: Sequence[float]) -> list[dict[float, list[Trained]]]:
        losses = {1e-1: 2.0, 1e-2: 1.0, 1e-3: math.nan}
        hits = {1e-1: (22, 25, 22), 1e-2: (23, 23, 23), 1e-3: (23, 23, 23)}  # of 31: sums differ in the last bit
        return [
            {rate: [Trained(1, {"acc": 100 * each / 31}, losses[rate], {}) for each in hits[rate]] for rate in rates}
            for _ in encoders
        ]

    (swept,) = sweep_learning_rates(ACCURACY, train, encoders=1, learning_rates=[1e-3, 1e-2, 1e-1], extensions=0)
    assert swept.learning_rate == 1e-2
