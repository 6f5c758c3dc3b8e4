from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechft_cli.data.batches import Planned, Position, Source, plan_epoch, plan_updates
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances

durations = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60)


@settings(deadline=None)
@given(durations, st.floats(1.0, 60.0), st.integers(0, 5))
def test_an_epoch_has_every_utterance_once_and_no_batch_too_long(
    seconds: list[float], batch_seconds: float, epoch: int
) -> None:
    batches = plan_epoch(seconds, batch_seconds=batch_seconds, seed=1, epoch=epoch)

    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(seconds)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(seconds[index] for index in batch) <= batch_seconds


def test_epochs_differ_and_seeds_repeat() -> None:
    seconds = np.random.default_rng(0).uniform(1, 10, 100).tolist()

    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in plan_epoch(seconds, batch_seconds=30, seed=seed, epoch=epoch)]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(1, 1)
    assert plan(1, 0) != plan(2, 0)


@settings(deadline=None)
@given(durations, st.floats(1.0, 60.0))
def test_batches_are_filled_one_utterance_after_the_other(seconds: list[float], batch_seconds: float) -> None:
    epoch = plan_epoch(seconds, batch_seconds=batch_seconds, seed=1, epoch=0)
    groups: list[list[int]] = [[]]
    for index in epoch.order.tolist():
        longest = max(seconds[each] for each in [*groups[-1], index])
        if groups[-1] and longest * (len(groups[-1]) + 1) > batch_seconds:
            groups.append([])
        groups[-1].append(index)

    assert sorted(batch.tolist() for batch in epoch) == sorted(groups)
    padded = [len(group) * max(seconds[index] for index in group) for group in groups]
    assert epoch.largest(np.array(seconds)).tolist() == groups[padded.index(max(padded))]


def test_utterances_of_similar_length_come_together() -> None:
    seconds = np.random.default_rng(0).uniform(1, 20, 500).tolist()
    batches = plan_epoch(seconds, batch_seconds=120, seed=1, epoch=0)
    padded = sum(len(batch) * max(seconds[index] for index in batch) for batch in batches)

    assert sum(seconds) / padded > 0.85  # random batches of this size would fill about 0.55


def played(sources: list[Source], *, step: int, positions: list[Position], **others: int) -> Iterator[Planned]:
    return plan_updates(sources, seed=1, step=step, positions=positions, **others)


def source(seconds: list[float], **others: float) -> Source:
    utterances = [Utterance(f"u{index}", Path("a.wav"), duration=each) for index, each in enumerate(seconds)]
    return Source(Utterances.of(utterances), **{"batch_seconds": 30.0, **others})


SECONDS = np.random.default_rng(0).uniform(1, 10, 40).tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(1, 3))
def test_a_plan_goes_on_from_any_update_as_if_it_had_never_stopped(done: int, batches: int) -> None:
    sources = [source(SECONDS, crop_seconds=4.0), source(SECONDS[:7], weight=0.3)]
    start = [Position(), Position()]
    everything = list(islice(played(sources, step=0, positions=start, batches_per_update=batches), 40))
    where = list(everything[done - 1].positions)
    again = list(islice(played(sources, step=done, positions=where, batches_per_update=batches), 40 - done))

    assert again == everything[done:]


def test_ranks_share_the_batches_of_every_update_without_overlap() -> None:
    one = list(islice(played([source(SECONDS)], step=0, positions=[Position()], batches_per_update=6), 9))
    three = [
        list(
            islice(
                played([source(SECONDS)], step=0, positions=[Position()], batches_per_update=2, rank=rank, world=3), 9
            )
        )
        for rank in range(3)
    ]

    for number, whole in enumerate(one):
        shares = [own[number] for own in three]
        assert sorted(batch for share in shares for batch in share.batches) == sorted(whole.batches)
        assert {share.positions for share in shares} == {whole.positions}


def test_another_number_of_ranks_goes_on_where_the_others_stopped() -> None:
    alone = [
        batch
        for each in islice(played([source(SECONDS)], step=0, positions=[Position()]), 12)
        for batch in each.batches
    ]
    first = list(islice(played([source(SECONDS)], step=0, positions=[Position()], rank=0, world=2), 3))
    rest = list(islice(played([source(SECONDS)], step=3, positions=list(first[-1].positions)), 6))

    assert [each.batches[0] for each in first] == alone[0:6:2]
    assert [each.batches[0] for each in rest] == alone[6:]


def test_crops_are_of_the_asked_length_on_the_frame_grid_and_differ_between_epochs() -> None:
    plan = played([source([9.0, 3.0], crop_seconds=4.0)], step=0, positions=[Position()])
    pieces = [piece for each in islice(plan, 40) for batch in each.batches for piece in batch]

    assert {piece.length for piece in pieces if piece.utterance == 0} == {4 * 16_000}
    assert {(piece.start, piece.length) for piece in pieces if piece.utterance == 1} == {(0, 3 * 16_000)}
    starts = [piece.start for piece in pieces if piece.utterance == 0]
    assert len(set(starts)) > 10
    assert all(start % 320 == 0 and start <= 5 * 16_000 for start in starts)


def test_sources_come_by_their_weights() -> None:
    sources = [source(SECONDS, weight=3.0), source(SECONDS)]
    drawn = [each.source for each in islice(played(sources, step=0, positions=[Position(), Position()]), 2_000)]

    assert drawn.count(0) / len(drawn) == pytest.approx(0.75, abs=0.03)
