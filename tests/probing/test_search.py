"""Query by example with an encoder of which one layer hears what is said, and the others hear nothing."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from speechft_cli.data.splits.task_splits import TaskSplits
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.base import Framing
from speechft_cli.encoders.encoder import Encoded
from speechft_cli.events import Advanced, Event, Finished, Started
from speechft_cli.probing import search
from speechft_cli.probing.encoding import Needs
from speechft_cli.probing.features import Features, Keeping
from speechft_cli.probing.job import ProbeJob
from speechft_cli.probing.search import evaluate_search
from speechft_cli.tasks.qbe import QBE

CPU = torch.device("cpu")
WORDS = ("do", "re", "mi", "fa", "so")
#: Frames of a word, each of its own kind, and samples of a frame.
LENGTH, FRAME = 6, 320


class HearsInLayerOne:
    """Three hidden states, of which the second has the kind of each frame."""

    kind = "made up"
    framing = Framing(((FRAME, FRAME),), FRAME)
    device = CPU
    configuration = ""

    def __call__(self, waveforms: Sequence[Tensor]) -> Encoded:
        (waveform,) = waveforms
        kinds = waveform.view(-1, FRAME)[:, 0].long()
        heard = torch.randn(len(WORDS) * LENGTH, 16, generator=torch.Generator().manual_seed(0))[kinds]
        deaf = torch.randn(heard.shape, generator=torch.Generator().manual_seed(int(kinds.sum())))
        return Encoded((deaf[None], heard[None], deaf.flip(0)[None]), torch.tensor([len(kinds)]))

    def weights(self) -> Mapping[str, Tensor]:
        return {}


def said(words: Sequence[str]) -> Tensor:
    kinds = [WORDS.index(word) * LENGTH + frame for word in words for frame in range(LENGTH)]
    return torch.tensor(kinds, dtype=torch.float32).repeat_interleave(FRAME)


def utterance(name: str, count: int, **more: object) -> Utterance:
    return Utterance(name, Path("none.wav"), duration=count * LENGTH * FRAME / 16_000, **more)  # type: ignore[arg-type]


@pytest.fixture
def features(job: ProbeJob, tmp_path: Path) -> Features:
    keeping = Keeping(tmp_path, "m", "exact", True, 2**30, 0, torch.float32)
    needs = Needs([], job.everything())
    return Features(HearsInLayerOne, "w", needs, keeping, read=lambda each: said(each.id.split("-")[1:]))


@pytest.fixture
def job() -> ProbeJob:
    splits = {
        "train": [
            utterance(f"train-{one}-{other}", 2, text=f"{one} {other}")
            for one, other in itertools.combinations(WORDS, 2)
        ],
        **{
            split: [utterance(f"{split}-{word}", 1, labels={"query": word}) for word in words]
            for split, words in (("dev", WORDS[:2]), ("test", WORDS[2:]))
        },
    }
    return ProbeJob(
        task=QBE,
        preset="default",
        reading=None,
        folds={"": TaskSplits("manifest", {split: Utterances.of(members) for split, members in splits.items()}, {})},
        fold_field=None,
        learning_rates=(),
        extensions=0,
        steps=0,
        batch_size=0,
        evaluations=0,
        is_balanced=False,
        crop_seconds=None,
        seeds=(),
        batching="exact",
        precision="fp32",
    )


def test_the_layer_that_hears_is_chosen_on_dev_and_finds_what_is_asked_for(job: ProbeJob, features: Features) -> None:
    told: list[Event] = []
    outcome = evaluate_search(job, "mine", features, device=CPU, report=told.append)
    assert outcome.swept.layer == 1
    assert [layer for layer, _ in outcome.swept.tried] == [0.0, 1.0, 2.0]
    assert max(outcome.swept.tried[0][1], outcome.swept.tried[2][1]) < outcome.swept.tried[1][1]
    assert outcome.dev == outcome.test == ({"mtwv": pytest.approx(100)},)
    ends = [(each.what, each.total) for each in told if isinstance(each, Started)]
    assert ends == [(f"mine: qbe searches for {split}", 10) for split in ("dev", "test")]
    assert [each.done for each in told if isinstance(each, Advanced)] == [10, 10]
    assert sum(isinstance(each, Finished) for each in told) == 2


def test_scores_of_each_query_have_mean_0_and_variance_1_so_that_one_threshold_serves_all(
    job: ProbeJob, features: Features
) -> None:
    (predictions,) = evaluate_search(job, "mine", features, device=CPU, report=lambda _: None).predictions
    for each in predictions:
        scores = np.frombuffer(bytes.fromhex(each), dtype="<f4")
        assert len(scores) == 10
        assert scores.mean() == pytest.approx(0, abs=1e-6)
        assert scores.std() == pytest.approx(1, abs=1e-5)


def test_documents_are_searched_together_as_long_as_memory_allows() -> None:
    long, short = utterance("long", 1000), utterance("short", 83)  # 120 s and 9.96 s
    blocks = list(search._blocks([short, *[long] * 2, *[short] * 16]))
    # 8192 frames at 50 a second: sixteen of ten seconds, and one of two minutes
    assert list(map(len, blocks)) == [16, 1, 1, 1]
    assert sorted(place for block in blocks for place in block) == list(range(19))
