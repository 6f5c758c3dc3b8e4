from collections import Counter
from itertools import islice

import torch

from speechft_cli.probing.drawing import batches, even_batches, even_rows

TARGETS = ["unknown"] * 90 + ["yes"] * 9 + ["no"]


def test_an_epoch_has_every_row_once() -> None:
    drawn = torch.cat(list(islice(batches(10, seed=1, batch_size=4), 3)))
    assert sorted(drawn.tolist()) == list(range(10))


def test_classes_are_drawn_evenly_whatever_their_sizes() -> None:
    drawn = torch.cat(list(islice(even_batches(TARGETS, seed=1, batch_size=32), 100))).tolist()
    counts = Counter(TARGETS[row] for row in drawn)
    # 3,200 draws: the standard deviation of a class's share is 0.8 %
    assert all(abs(counts[name] / 3_200 - 1 / 3) < 0.03 for name in ("unknown", "yes", "no"))
    assert len(set(drawn)) == 100  # of the large class too, every row has its turn


def test_rows_of_small_classes_come_so_often_that_all_classes_are_equal() -> None:
    rows = even_rows(TARGETS)
    assert Counter(TARGETS[row] for row in rows) == {"unknown": 90, "yes": 90, "no": 90}
    assert Counter(rows) == {**dict.fromkeys(range(90), 1), **dict.fromkeys(range(90, 99), 10), 99: 90}
    assert Counter(even_rows(["a", "a", "a", "b", "b"])) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1}
