"""Golden: scores that SUPERB's leaderboard and the Speech-FT paper print, from the figures they print."""

from __future__ import annotations

import pytest

from speechft_cli.reporting.superb import CONSTANTS
from speechft_cli.reporting.superb.score import Constants, Reference, superb_score
from speechft_cli.tasks import TASKS

ORDER = (
    ("pr", "per"), ("ks", "acc"), ("ic", "acc"), ("sid", "acc"), ("er", "acc"), ("asr", "wer"), ("qbe", "mtwv"),
    ("sf", "f1"), ("sf", "cer"), ("asv", "eer"), ("sd", "der"),
)  # fmt: skip

# The columns of SUPERB's tables, in the order above; MTWV x 100. All rows but WavLM's are those of the leaderboard's
# own data: src/data/public.json of superbbenchmark.github.io. WavLM's is its first entry; the site keeps a later one.
LEADERBOARD = {
    "HuBERT Base": (941, "5.41 96.30 98.34 81.42 64.92 6.42 7.36 88.53 25.20 5.11 5.88"),
    "wav2vec 2.0 Base": (818, "5.74 96.23 92.35 75.18 63.43 6.43 2.33 88.30 24.77 6.02 6.08"),
    "DistilHuBERT": (717, "16.27 95.98 94.99 73.54 63.02 13.37 5.11 82.57 35.59 8.55 6.19"),
    "DeCoAR 2.0": (722, "14.93 94.48 90.80 74.42 62.47 13.02 4.06 83.28 34.73 7.16 6.59"),
    "HuBERT Large": (919, "3.53 95.29 98.76 90.33 67.62 3.62 3.53 89.81 21.76 5.98 5.75"),
    "wav2vec 2.0 Large": (914, "4.75 96.66 95.28 86.14 65.64 3.75 4.89 87.11 27.31 5.65 5.62"),
    "WavLM Large, October 2021": (1121, "3.09 97.40 99.10 95.25 70.03 3.51 8.27 92.25 17.61 4.04 3.47"),
    "APC": (392, "41.98 91.01 74.69 60.42 59.33 21.28 3.10 70.46 50.89 8.56 10.53"),
}

# PER, SID, ER, slot-type F1, slot-value CER; Speech-FT, six rows of its results figure
PAPER = {
    "HuBERT": (870.20, (5.17, 81.86, 64.99, 88.54, 24.70)),
    "HuBERT, fine-tuned": (870.71, (5.22, 79.89, 65.38, 88.52, 23.80)),
    "HuBERT, Speech-FT": (905.79, (3.94, 84.11, 67.78, 88.84, 23.46)),
    "wav2vec 2.0": (837.08, (5.78, 75.26, 63.45, 88.12, 24.88)),
    "wav2vec 2.0, fine-tuned": (824.82, (6.84, 72.95, 64.53, 87.22, 26.45)),
    "wav2vec 2.0, Speech-FT": (864.79, (4.14, 78.44, 64.87, 88.37, 24.10)),
}


@pytest.mark.parametrize("encoder", LEADERBOARD)
def test_the_leaderboards_scores_come_out(encoder: str) -> None:
    printed, row = LEADERBOARD[encoder]
    values: dict[str, dict[str, float]] = {}
    for (task, metric), value in zip(ORDER, row.split(), strict=True):
        values.setdefault(task, {})[metric] = float(value)
    found = superb_score(values, CONSTANTS.get("superb_leaderboard"))
    assert found is not None
    assert round(found.value) == printed
    assert len(found.tasks) == 10
    assert found.constants == "superb_leaderboard"


@pytest.mark.parametrize("encoder", PAPER)
def test_the_papers_scores_come_out(encoder: str) -> None:
    printed, (per, sid, er, f1, cer) = PAPER[encoder]
    values = {"pr": {"per": per}, "sid": {"acc": sid}, "er": {"acc": er}, "sf": {"f1": f1, "cer": cer}}
    found = superb_score(values, CONSTANTS.get("speechft_fitted"))
    assert found is not None
    assert found.value == pytest.approx(printed, abs=0.006)


def test_the_base_scores_0_and_the_top_1000() -> None:
    for name in CONSTANTS:
        references = CONSTANTS.get(name).references
        for end, wanted in (("base", 0), ("top", 1000)):
            values = {
                task: {metric: getattr(each, end) for metric, each in metrics.items()}
                for task, metrics in references.items()
            }
            found = superb_score(values, CONSTANTS.get(name))
            assert found is not None
            assert found.tasks == pytest.approx(dict.fromkeys(references, wanted))


def test_only_whole_tasks_take_part() -> None:
    constants = Constants(
        "mine", {"sf": {"f1": Reference(0, 100), "cer": Reference(100, 0)}, "sid": {"acc": Reference(0, 50)}}
    )
    found = superb_score({"sf": {"f1": 50.0}, "sid": {"acc": 75.0}, "asr": {"wer": 1.0}}, constants)
    assert found is not None
    assert (found.value, found.tasks) == (1500.0, {"sid": 1500.0})  # not clipped
    both = superb_score({"sf": {"f1": 80.0, "cer": 60.0}, "sid": {"acc": 25.0}}, constants)
    assert both is not None
    assert both.tasks == pytest.approx({"sf": 600.0, "sid": 500.0})
    assert superb_score({"sid": {"acc": float("nan")}}, constants) is None


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_of_the_tasks_own_metrics(name: str) -> None:
    constants = CONSTANTS.get(name)
    assert constants.name == name
    for task in set(constants.references) & set(TASKS):
        for metric in TASKS.get(task).metrics:
            if metric.name in constants.references[task]:
                reference = constants.references[task][metric.name]
                assert metric.is_better(reference.top, reference.base)
        assert set(constants.references[task]) <= {metric.name for metric in TASKS.get(task).metrics}
