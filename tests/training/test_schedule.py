from __future__ import annotations

import pytest

from speechft_cli.training.schedule import StableSchedule


def test_the_papers_run_freezes_5000_of_50000_updates_and_decays_from_25000_on() -> None:
    schedule = StableSchedule(steps=50_000)

    assert [schedule.is_encoder_frozen(step) for step in (0, 4_999, 5_000, 49_999)] == [True, True, False, False]
    rates = [schedule.rate(step) for step in (0, 2_500, 5_000, 24_999, 25_000, 37_500, 50_000)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0])
    assert schedule.stages() == [("frozen", 0, 5_000), ("hold", 5_000, 25_000), ("decay", 25_000, 50_000)]


def test_a_warm_up_that_outlasts_the_frozen_part_is_a_stage_of_its_own() -> None:
    schedule = StableSchedule(steps=100, frozen_share=0.1, warmup_share=0.3, hold_share=0.2)

    assert schedule.stages() == [("frozen", 0, 10), ("warm-up", 10, 30), ("hold", 30, 50), ("decay", 50, 100)]


def test_a_frozen_part_that_outlasts_the_warm_up_is_one_stage() -> None:
    schedule = StableSchedule(steps=100, frozen_share=0.2, warmup_share=0.1, hold_share=0.4)

    assert schedule.stages()[0] == ("frozen", 0, 20)


def test_without_a_frozen_share_the_encoder_trains_from_the_first_update_on() -> None:
    assert not StableSchedule(steps=10, frozen_share=0.0).is_encoder_frozen(0)


def test_the_rate_never_rises_after_the_hold_and_ends_at_zero() -> None:
    schedule = StableSchedule(steps=37)
    rates = [schedule.rate(step) for step in range(38)]

    assert rates[schedule.hold_end :] == sorted(rates[schedule.hold_end :], reverse=True)
    assert rates[-1] == 0.0
    assert rates[-2] > 0.0


def test_a_schedule_without_decay_holds_to_the_end() -> None:
    schedule = StableSchedule(steps=10, warmup_share=0.0, hold_share=1.0)

    assert [schedule.rate(step) for step in range(11)] == [1.0] * 11  # the plan says what the last stage ends with


def test_the_phases_that_are_left_are_those_of_a_frozen_and_of_a_trained_encoder() -> None:
    schedule = StableSchedule(steps=100)
    assert [schedule.phases(step) for step in (0, 9, 10)] == [[True, False], [True, False], [False]]
    assert StableSchedule(steps=100, frozen_share=1.0).phases(0) == [True]
    assert StableSchedule(steps=100, end_share=0.05).phases(0) == [True]  # it ends before the encoder trains
