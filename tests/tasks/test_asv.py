from __future__ import annotations

import numpy as np
import pytest
import torch

from speechft_cli.errors import RequestError
from speechft_cli.tasks.asv import ASV
from speechft_cli.tasks.trials import all_trials, equal_error_rate, listed_trials
from speechft_cli.tasks.xvector import EMBEDDING, RECEPTIVE_FIELD, XVectorHead


def test_the_equal_error_rate_of_four_trials() -> None:
    same = np.array([True, False, True, False])

    assert equal_error_rate(np.array([0.9, 0.6, 0.4, 0.1]), same) == 50.0
    assert equal_error_rate(np.array([0.9, 0.3, 0.4, 0.1]), same) == 0.0
    assert equal_error_rate(np.array([0.1, 0.8, 0.2, 0.9]), same) == 100.0
    assert equal_error_rate(np.zeros(4), same) == 50.0  # nothing is told apart


def test_the_equal_error_rate_lies_between_thresholds_where_it_must() -> None:
    # three of the same speaker, two impostors: (accepted impostors, rejected speakers) goes (0, 1/3), (1/2, 1/3)
    scores, same = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([True, True, False, True, False])

    assert equal_error_rate(scores, same) == pytest.approx(100 / 3)


def test_the_equal_error_rate_of_two_overlapping_normal_distributions() -> None:
    # means 0 and 2, deviation 1: the rates meet at threshold 1, where both are Φ(-1) = 15.8655 %
    random = np.random.default_rng(0)
    scores = np.concatenate([random.normal(0, 1, 100_000), random.normal(2, 1, 100_000)])

    assert equal_error_rate(scores, np.arange(200_000) >= 100_000) == pytest.approx(15.8655, abs=0.3)


def test_one_kind_of_trials_gives_no_rate() -> None:
    assert np.isnan(equal_error_rate(np.zeros(2), np.array([True, True])))


def test_a_probe_that_diverged_has_no_rate() -> None:
    vectors = torch.full((3, EMBEDDING + 2), float("nan"))
    predictions = ASV.predict(vectors, torch.ones(3), ASV.vocabulary(["x\t\t", "y\t\t"]))
    assert np.isnan(ASV.score(predictions, ["x\ta\t", "x\tb\t", "y\tc\t"])["eer"])


def test_speakers_are_told_apart_by_vectors_that_all_point_nearly_the_same_way() -> None:
    # as those of a probe that has hardly learnt: in float32 their cosines differ by less than rounding does
    random = np.random.default_rng(0)
    speakers = random.standard_normal((10, 1, EMBEDDING)) + 0.1 * random.standard_normal((10, 4, EMBEDDING))
    logits = torch.from_numpy(random.random(EMBEDDING) + 1e-5 * speakers.reshape(40, EMBEDDING)).float()
    targets = [f"s{place // 4}\t{place}\t" for place in range(40)]

    predictions = ASV.predict(logits, torch.ones(40), ASV.vocabulary(targets))

    assert ASV.score(predictions, targets)["eer"] == 0.0


def test_a_vector_of_zeros_is_like_no_other() -> None:
    logits = torch.zeros(3, EMBEDDING)
    logits[:2, 0] = 2.0
    predictions = ASV.predict(logits, torch.ones(3), ASV.vocabulary(["x\t\t"]))
    assert ASV.score(predictions, ["x\ta\t", "x\tb\t", "y\tc\t"])["eer"] == 0.0


def test_trials_are_those_the_utterances_name() -> None:
    trials, absent = listed_trials(["1:b 0:c", "", "0:b 1:z"], {"a": 0, "b": 1, "c": 2})

    assert absent == 1  # z is not there
    assert trials.left.tolist() == [0, 0, 2]
    assert trials.right.tolist() == [1, 2, 1]
    assert trials.is_same.tolist() == [True, False, False]


@pytest.mark.parametrize("item", ["1:", "2:b", "b"])
def test_a_wrong_trial_is_named(item: str) -> None:
    with pytest.raises(RequestError, match=f"trials: must be 1:ID or 0:ID.*'{item}'"):
        listed_trials([item], {"a": 0, "b": 1})


def test_references_of_which_no_rate_can_come_are_refused_before_training() -> None:
    with pytest.raises(RequestError, match="pairs of utterances of one speaker and pairs of two, has 1 and 0"):
        ASV.check_references(["x\ta\t", "x\tb\t"])
    with pytest.raises(RequestError, match="has 0 and 0"):
        ASV.check_references(["x\ta\t1:gone", "x\tb\t"])
    said = ASV.check_references(["x\ta\t1:b 0:c 0:gone", "x\tb\t", "y\tc\t"])
    assert said == "trials left out, as they name an utterance that is not there: 1"
    assert not ASV.check_references(["x\ta\t", "x\tb\t", "y\tc\t"])


def test_without_trials_all_pairs_are_compared() -> None:
    trials = all_trials(["x", "y", "x"])

    assert list(zip(trials.left.tolist(), trials.right.tolist(), trials.is_same.tolist(), strict=True)) == [
        (0, 1, False),
        (0, 2, True),
        (1, 2, False),
    ]
    assert len(all_trials(["x"] * 4_001).left) == 1_334 * 1_333 // 2  # every third


def test_the_loss_wants_a_margin_between_speakers() -> None:
    cosines = torch.tensor([[0.5, 0.2, -0.1], [0.0, 0.9, 0.3]])
    logits = torch.cat([torch.zeros(2, EMBEDDING), cosines], dim=1)
    vocabulary = ASV.vocabulary(["a\t1\t", "b\t2\t", "c\t3\t"])
    # by the formula: -log(e^{s (cos y - m)} / (e^{s (cos y - m)} + sum of the others' e^{s cos}))
    expected = [
        np.log1p((np.exp(30 * 0.2) + np.exp(30 * -0.1)) / np.exp(30 * (0.5 - 0.4))),
        np.log1p((np.exp(30 * 0.0) + np.exp(30 * 0.3)) / np.exp(30 * (0.9 - 0.4))),
    ]

    loss = ASV.loss(logits, torch.tensor([20, 20]), [[0], [1]], vocabulary)

    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-5)


def test_padding_has_no_say_in_a_speakers_vector() -> None:
    torch.manual_seed(0)
    head = XVectorHead(8, 3)
    features, counts = torch.randn(2, 30, 8), torch.tensor([30, 20])
    changed = features.clone()
    changed[1, 20:] = 1e3

    torch.testing.assert_close(head(features, counts), head(changed, counts))
    torch.testing.assert_close(head(features, counts)[1:], head(features[1:, :20], counts[1:]))


def test_an_utterance_shorter_than_the_receptive_field_does_not_hear_its_padding() -> None:
    torch.manual_seed(0)
    head = XVectorHead(8, 3)
    features = torch.randn(2, RECEPTIVE_FIELD + 20, 8)
    together = head(features, torch.tensor([RECEPTIVE_FIELD + 20, RECEPTIVE_FIELD - 2]))
    alone = head(features[1:, : RECEPTIVE_FIELD - 2], torch.tensor([RECEPTIVE_FIELD - 2]))
    torch.testing.assert_close(together[1:], alone)


def test_a_vector_is_made_of_mean_and_deviation_over_frames() -> None:
    torch.manual_seed(0)
    head = XVectorHead(8, 3)
    features = torch.randn(1, 25, 8)
    hidden = head.project(features).transpose(1, 2)
    for layer in head.layers:
        hidden = torch.relu(layer(hidden))
    assert hidden.shape[2] == 25 - RECEPTIVE_FIELD + 1
    statistics = torch.cat([hidden.mean(dim=2), hidden.std(dim=2)], dim=1)

    vector = head(features, torch.tensor([25]))[:, :EMBEDDING]

    torch.testing.assert_close(vector, torch.relu(head.embed(statistics)), atol=1e-5, rtol=1e-4)


def test_a_very_short_utterance_still_has_a_vector_and_a_gradient() -> None:
    head = XVectorHead(8, 3)
    logits = head(torch.randn(1, 4, 8), torch.tensor([4]))
    logits.sum().backward()

    assert torch.isfinite(logits).all()
    assert all(torch.isfinite(each.grad).all() for each in head.parameters() if each.grad is not None)


def test_speakers_that_training_never_heard_are_told_apart() -> None:
    torch.manual_seed(0)
    directions = torch.randn(8, 6)
    targets = [f"s{speaker}\t{speaker}-{take}\t" for speaker in range(8) for take in range(4)]
    features = torch.cat([directions[speaker] + 0.3 * torch.randn(4, 16, 6) for speaker in range(8)])
    counts = torch.full((32,), 16)
    vocabulary = ASV.vocabulary(targets[:24])  # six speakers
    head = ASV.probe(6, len(vocabulary))
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    truth = [ASV.encode(target, vocabulary) for target in targets[:24]]
    for _ in range(4):
        loss = ASV.loss(head(features[:24], counts[:24]), counts[:24], truth, vocabulary)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    predictions = ASV.predict(head(features[24:], counts[24:]), counts[24:], vocabulary)

    assert ASV.score(predictions, targets[24:])["eer"] < 5.0
    # of all 28 pairs only these two are asked for, and the first one's answer is wrong on purpose
    listed = [f"{target}{'0:6-1 1:7-0' if place == 0 else ''}" for place, target in enumerate(targets[24:])]
    assert ASV.score(predictions, listed)["eer"] == 100.0
