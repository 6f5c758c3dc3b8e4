"""Which rows of a split the probes of utterance tasks hear, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


def batches(count: int, seed: int, batch_size: int) -> Iterator[Tensor]:
    """Yields batches of rows without end, every row once per epoch."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.split(torch.randperm(count, generator=generator), batch_size)


def even_batches(targets: Sequence[str], seed: int, batch_size: int) -> Iterator[Tensor]:
    """Yields batches of rows without end, drawn with replacement so that every class is as likely as any other."""
    generator = torch.Generator().manual_seed(seed)
    counts = Counter(targets)
    weights = torch.tensor([1 / counts[target] for target in targets], dtype=torch.float64)
    while True:
        yield torch.multinomial(weights, batch_size, replacement=True, generator=generator)


def even_rows(targets: Sequence[str]) -> list[int]:
    """Returns rows in which every class is as frequent as the largest: rows of smaller ones come several times."""
    members: dict[str, list[int]] = {}
    for row, target in enumerate(targets):
        members.setdefault(target, []).append(row)
    most = max(map(len, members.values()))
    return [rows[place * len(rows) // most] for rows in members.values() for place in range(most)]
