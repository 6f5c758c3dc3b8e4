from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits

from speechft_cli.tasks.diarization import (
    Segment,
    diarization_error_rate,
    diarization_errors,
    read_segments,
)
from speechft_cli.tasks.sd import SD

FRAME = 0.1


def rate(guess: str, truth: str) -> float:
    return diarization_error_rate([diarization_errors(read_segments(guess), read_segments(truth))])


def test_segments_are_read() -> None:
    assert read_segments("ann 0 1.5; bob 1.25 2;") == [Segment("ann", 0.0, 1.5), Segment("bob", 1.25, 2.0)]
    for wrong in ("ann 0", "ann 1 1", "ann -1 1", "ann a b", "ann 0 inf"):
        with pytest.raises(ValueError, match="must"):
            read_segments(wrong)


def test_silence_taken_for_silence_is_no_error() -> None:
    assert diarization_errors([], []) == (0.0, 0.0, 0.0, 0.0)
    assert np.isnan(rate("", ""))


def test_there_are_as_many_places_as_a_recording_has_speakers_at_most() -> None:
    targets = ["a 0 1\t2", "a 0 1;b 0 1;a 1 2\t2", "c 0 2\t2"]
    assert SD.vocabulary(targets).symbols == ("speaker1", "speaker2")


def test_names_do_not_matter() -> None:
    assert rate("x 2 4;y 0 3", "a 0 3;b 2 4") == 0.0


def test_each_kind_of_error_is_time_over_speech() -> None:
    truth = "a 0 4;b 4 10"
    assert rate("x 0 4;y 4 8", truth) == pytest.approx(20.0)  # 2 of 10 s missed
    assert rate("x 0 4;y 4 10;z 9 10", truth) == pytest.approx(10.0)  # 1 s of a third speaker
    assert rate("x 0 5;y 5 10", truth) == pytest.approx(10.0)  # 1 s of b called a
    assert rate("x 0 10", truth) == pytest.approx(40.0)  # the longer one is the one that is right
    assert rate("", truth) == 100.0


def test_overlapping_speech_counts_once_per_speaker() -> None:
    # 4 s of a and 2 s of b inside: 6 s of speech, of which the 2 s of b are missed
    assert rate("x 0 4", "a 0 4;b 1 3") == pytest.approx(100 * 2 / 6)


def test_no_collar_forgives_what_is_near_a_boundary() -> None:
    assert rate("x 0 4.2;y 4.2 8.2", "a 0 4;b 4 8") == pytest.approx(100 * (0.2 + 0.2) / 8)


def test_recordings_are_summed_before_they_are_divided() -> None:
    right = diarization_errors(read_segments("a 0 9"), read_segments("a 0 9"))
    wrong = diarization_errors([], read_segments("a 0 1"))
    assert diarization_error_rate([right, wrong]) == pytest.approx(10.0)
    assert np.isnan(diarization_error_rate([diarization_errors([], [])]))


_SEGMENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 28), st.integers(1, 12)).map(
        lambda drawn: Segment(drawn[0], drawn[1] / 10, (drawn[1] + drawn[2]) / 10)
    ),
    max_size=6,
)


def _by_frames(guess: list[Segment], truth: list[Segment]) -> float:
    """The same figure from frames of 10 ms and every naming of three speakers."""
    times = np.arange(0, 4.1, 0.01) + 0.005

    def activity(segments: list[Segment]) -> np.ndarray:
        rows = [[any(s.start < t < s.end for s in segments if s.speaker == name) for t in times] for name in "abc"]
        return np.array(rows)

    true, guessed = activity(truth), activity(guess)
    count_true, count_guessed = true.sum(0), guessed.sum(0)
    right = max((true & guessed[list(order)]).sum() for order in permutations(range(3)))
    return 100 * (np.maximum(count_true, count_guessed).sum() - right) / count_true.sum()


@settings(max_examples=40, deadline=None)
@given(_SEGMENTS, _SEGMENTS.filter(bool))
def test_the_error_rate_is_that_of_frames_and_of_every_naming(guess: list[Segment], truth: list[Segment]) -> None:
    assert diarization_error_rate([diarization_errors(guess, truth)]) == pytest.approx(_by_frames(guess, truth))


def test_the_loss_is_under_the_best_order_of_speakers() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 10, 2)
    target = "b 0.5 1;a 0 0.5\t1.000"  # b speaks in frames 5-9, a in 0-4
    vocabulary = SD.vocabulary([target])
    activity = torch.zeros(10, 2)
    activity[5:, 0] = activity[:5, 1] = 1.0
    expected = min(
        float(binary_cross_entropy_with_logits(logits[0], activity[:, list(order)])) for order in ([0, 1], [1, 0])
    )

    for same in (target, "a 0 0.5;b 0.5 1\t1.000"):
        loss = SD.loss(logits, torch.tensor([10]), [SD.encode(same, vocabulary)], vocabulary)
        assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_frames_past_a_recordings_own_have_no_say() -> None:
    torch.manual_seed(0)
    vocabulary = SD.vocabulary(["a 0 1;b 1 2\t2.000"])
    targets = [SD.encode("a 0 1;b 1 2\t2.000", vocabulary), SD.encode("a 0 0.5\t1.000", vocabulary)]
    counts = torch.tensor([20, 10])
    logits = torch.randn(2, 20, 2)
    changed = logits.clone()
    changed[1, 10:] = 9.0

    assert SD.loss(logits, counts, targets, vocabulary) == SD.loss(changed, counts, targets, vocabulary)
    assert SD.predict(logits, counts, vocabulary) == SD.predict(changed, counts, vocabulary)


def test_what_is_sure_of_itself_has_no_error() -> None:
    target = "a 0 3;b 2 5\t6.000"
    vocabulary = SD.vocabulary([target])
    logits = torch.full((1, 60, 2), -9.0)
    logits[0, :30, 1] = logits[0, 20:50, 0] = 9.0

    (prediction,) = SD.predict(logits, torch.tensor([60]), vocabulary)

    assert prediction == "60\tspeaker1 20 50;speaker2 0 30"
    assert SD.score([prediction], [target])["der"] == pytest.approx(0.0, abs=1e-9)


def test_a_blink_is_no_turn() -> None:
    vocabulary = SD.vocabulary(["a 0 1\t1.000"])
    logits = torch.full((1, 60, 1), -9.0)
    logits[0, 10:40] = 9.0
    logits[0, 20:24] = -9.0
    logits[0, 50:53] = 9.0

    assert SD.predict(logits, torch.tensor([60]), vocabulary) == ["60\tspeaker1 10 40"]


def test_a_recording_with_more_speakers_than_train_had_can_not_be_learnt() -> None:
    with pytest.raises(KeyError):
        SD.encode("a 0 1;b 1 2\t2.000", SD.vocabulary(["a 0 1\t1.000"]))


def test_segments_that_can_not_be_read_are_no_target() -> None:
    assert SD.normalise("a 2 1\t3.000") == ""
    assert SD.normalise("\t3.000") == ""
