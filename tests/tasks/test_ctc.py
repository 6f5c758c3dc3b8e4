from __future__ import annotations

import math

import torch

from speechft_cli.tasks.ctc import ctc_loss, frames_needed, greedy


def test_the_loss_is_the_negative_log_of_all_paths_probability() -> None:
    # two frames, target "1": paths 11, 01, 10, each frame p(0)=0.4, p(1)=0.6
    logits = torch.log(torch.tensor([[[0.4, 0.6], [0.4, 0.6]]]))
    expected = -math.log(0.6 * 0.6 + 2 * 0.4 * 0.6)

    assert math.isclose(float(ctc_loss(logits, torch.tensor([2]), [[1]])), expected, rel_tol=1e-6)


def test_frames_past_an_utterances_own_have_no_say() -> None:
    logits = torch.randn(2, 9, 5)
    counts = torch.tensor([9, 4])
    changed = logits.clone()
    changed[1, 4:] = 100.0

    assert torch.equal(ctc_loss(logits, counts, [[1, 2], [3]]), ctc_loss(changed, counts, [[1, 2], [3]]))
    assert greedy(logits, counts) == greedy(changed, counts)


def test_a_target_that_can_not_fit_adds_nothing_to_the_loss() -> None:
    assert float(ctc_loss(torch.randn(1, 2, 5), torch.tensor([2]), [[1, 2, 3]])) == 0.0


def test_the_best_path_merges_repeats_and_drops_blanks() -> None:
    path = torch.tensor([0, 1, 1, 0, 1, 2, 2, 0])
    logits = torch.nn.functional.one_hot(path, 3).float()[None]

    assert greedy(logits, torch.tensor([8])) == [[1, 1, 2]]


def test_equal_neighbours_need_a_blank_between_them() -> None:
    assert frames_needed([1, 2, 3]) == 3
    assert frames_needed([1, 1, 1]) == 5
    assert frames_needed([]) == 0
