from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechft_cli.data.batches import Position, load_batches, plan_epoch
from speechft_cli.data.manifests import read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import SpeechftError

durations = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60)


@given(durations, st.floats(1.0, 60.0), st.integers(0, 5))
def test_an_epoch_has_every_utterance_once_and_no_batch_too_long(
    seconds: list[float], batch_seconds: float, epoch: int
) -> None:
    batches = plan_epoch(seconds, batch_seconds=batch_seconds, seed=1, epoch=epoch)

    assert sorted(index for batch in batches for index in batch) == list(range(len(seconds)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(seconds[index] for index in batch) <= batch_seconds


def test_epochs_differ_and_seeds_repeat() -> None:
    seconds = np.random.default_rng(0).uniform(1, 10, 100).tolist()
    plan = plan_epoch(seconds, batch_seconds=30, seed=1, epoch=0)

    assert plan == plan_epoch(seconds, batch_seconds=30, seed=1, epoch=0)
    assert plan != plan_epoch(seconds, batch_seconds=30, seed=1, epoch=1)
    assert plan != plan_epoch(seconds, batch_seconds=30, seed=2, epoch=0)


def test_utterances_of_similar_length_come_together() -> None:
    seconds = np.random.default_rng(0).uniform(1, 20, 500).tolist()
    batches = plan_epoch(seconds, batch_seconds=120, seed=1, epoch=0)
    padded = sum(len(batch) * max(seconds[index] for index in batch) for batch in batches)

    assert sum(seconds) / padded > 0.85  # random batches of this size would fill about 0.55


@pytest.mark.parametrize("workers", [0, 2])
def test_reading_from_a_position_goes_on_where_it_was(manifests: Path, workers: int) -> None:
    utterances = list(read_manifest(manifests, "train"))
    settings = {"batch_seconds": 3.0, "seed": 1, "workers": workers}
    everything = list(islice(load_batches(utterances, start=Position(), **settings), 14))  # type: ignore[arg-type]
    assert everything[-1][0].epoch >= 2
    for done in (1, 5, 6, 7, 13):
        position, _ = everything[done - 1]
        again = list(islice(load_batches(utterances, start=position, **settings), 14 - done))  # type: ignore[arg-type]

        assert [batch.indices for _, batch in again] == [batch.indices for _, batch in everything[done:]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_recording_that_has_gone_is_named(tmp_path: Path, workers: int) -> None:
    missing = Utterance("x", tmp_path / "gone.wav", duration=1.0, sample_rate=16_000)
    with pytest.raises(SpeechftError, match=r"gone\.wav: can't be read as audio"):
        next(load_batches([missing], batch_seconds=5, seed=0, start=Position(), workers=workers))
