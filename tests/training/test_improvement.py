from __future__ import annotations

from speechft_cli.tasks.base import Metric
from speechft_cli.training.evaluation import is_improvement

METRICS = (Metric("wer", "WER", "%", "lower"), Metric("cer", "CER", "%", "lower"))


def test_the_first_metric_decides() -> None:
    assert is_improvement({"wer": 50.0, "cer": 90.0}, {"wer": 60.0, "cer": 10.0}, METRICS)
    assert not is_improvement({"wer": 60.0, "cer": 10.0}, {"wer": 50.0, "cer": 90.0}, METRICS)


def test_of_equals_the_next_metric_decides() -> None:
    assert is_improvement({"wer": 100.0, "cer": 80.0}, {"wer": 100.0, "cer": 90.0}, METRICS)
    assert not is_improvement({"wer": 100.0, "cer": 90.0}, {"wer": 100.0, "cer": 90.0}, METRICS)


def test_what_is_no_number_is_never_better() -> None:
    assert not is_improvement({"wer": float("nan"), "cer": 0.0}, None, METRICS)
    assert is_improvement({"wer": 100.0, "cer": 100.0}, None, METRICS)
