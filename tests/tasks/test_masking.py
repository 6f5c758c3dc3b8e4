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
