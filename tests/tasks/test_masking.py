from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechft_cli.tasks.masking import Masking


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 99))
def test_every_utterance_hides_some_frames_of_its_own_and_no_padding(counts: list[int], seed: int) -> None:
    frames = max(counts) + 3
    generator = torch.Generator().manual_seed(seed)
    mask = Masking().draw(torch.tensor(counts), frames=frames, generator=generator)

    assert mask.shape == (len(counts), frames)
    for row, count in zip(mask, counts, strict=True):
        assert row[:count].any()
        assert not row[count:].any()


def test_hidden_frames_come_in_spans_and_are_as_many_as_in_hubert() -> None:
    mask = Masking().draw(torch.full((200,), 500), frames=500, generator=torch.Generator().manual_seed(0))

    runs = [run for row in mask.int() for run in "".join(map(str, row.tolist())).split("0") if run]
    assert min(map(len, runs)) == 10
    # 40 spans of 10 at random places: a frame stays visible when none of the ~40 begins in the 10 before it
    assert abs(float(mask.float().mean()) - (1 - (1 - 10 / 491) ** 40)) < 0.01


def test_of_a_short_utterance_at_most_half_is_one_span() -> None:
    for count, longest in ((1, 1), (2, 1), (3, 1), (9, 4), (20, 10), (50, 10)):
        mask = Masking(share=0.0).draw(torch.tensor([count]), frames=count)
        assert int(mask.sum()) == longest  # a share of nothing is still one span


def test_the_number_of_spans_is_rounded_at_random_so_that_its_mean_is_exact() -> None:
    # 0.65 x 20 / 10 = 1.3 spans: of 2000 utterances 30 % have two, which may overlap
    mask = Masking(share=0.65).draw(torch.full((2000,), 20), frames=20, generator=torch.Generator().manual_seed(0))
    assert abs(float((mask.sum(dim=1) > 10).float().mean()) - 0.3) < 0.03
