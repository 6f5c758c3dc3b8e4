"""Utterances that are encoded together."""

from __future__ import annotations

import numpy as np

from speechft_cli.data.neighbours import batches_to_encode


def test_a_gpu_encodes_neighbours_in_length_together() -> None:
    durations = np.random.default_rng(0).gamma(2.0, 4.0, 500)
    batches = batches_to_encode(durations, device="cuda")

    assert sorted(each for batch in batches for each in batch) == list(range(500))
    assert len(batches) < 100
    for batch in batches:
        own = durations[batch]
        assert len(batch) == 1 or own.max() * len(batch) <= 64.0
        assert len(batch) <= 32
        assert own.min() >= 0.95 * own.max()


def test_what_is_encoded_together_has_a_limit_that_only_one_utterance_may_exceed() -> None:
    assert batches_to_encode(np.array([5.0, 5.0, 20.0, 5.0]), device="cuda", most_seconds=10.0) == [[0, 1], [3], [2]]


def test_a_cpu_encodes_one_by_one_in_their_order() -> None:
    assert batches_to_encode(np.array([3.0, 1.0, 2.0]), device="cpu") == [[0], [1], [2]]


def test_nothing_makes_no_batch() -> None:
    assert batches_to_encode(np.array([]), device="cuda") == []
