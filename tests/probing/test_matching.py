"""Dynamic time warping against every path there is, and against SciPy's distances."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from speechft_cli.probing.matching import Normaliser, pad, query_costs, subsequence_costs


def cheapest(distances: np.ndarray) -> float:
    """Walks every path from the last frame of the query backwards; (T, frames)."""

    @cache
    def cost(row: int, column: int) -> float:
        if column < 0:
            return math.inf
        before = 0.0 if row == 0 else min(cost(row - 1, column - step) for step in (0, 1, 2))
        return before + float(distances[row, column])

    return min(cost(len(distances) - 1, column) for column in range(distances.shape[1]))


@pytest.mark.parametrize("frames", [1, 2, 7, 30])
def test_the_cheapest_path_is_found_in_each_document(frames: int) -> None:
    random = np.random.default_rng(frames)
    distances = random.random((9, 3, frames))
    found = subsequence_costs(torch.from_numpy(distances))
    assert found.tolist() == pytest.approx([cheapest(distances[:, document]) for document in range(3)])


def test_costs_are_those_of_each_document_alone() -> None:
    random = np.random.default_rng(0)
    query, documents = random.standard_normal((6, 5)), [random.standard_normal((n, 5)) for n in (11, 4, 1, 20)]
    wanted = []
    for document in documents:
        distances = np.exp(cdist(query, document, "cosine")) - 1
        low, high = distances.min(1, keepdims=True), distances.max(1, keepdims=True)
        wanted.append(cheapest((distances - low) / np.clip(high - low, 1e-9, None)) / 6)
    unit = [torch.nn.functional.normalize(torch.from_numpy(each), dim=1) for each in (query, *documents)]
    block, counts = pad(unit[1:])
    assert query_costs(unit[0], block, counts).tolist() == pytest.approx(wanted)


def test_a_query_costs_nothing_where_it_is_said() -> None:
    query = torch.nn.functional.normalize(torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    other = torch.nn.functional.normalize(torch.randn(30, 16, generator=torch.Generator().manual_seed(1)), dim=1)
    slowly = query.repeat_interleave(2, dim=0)
    block, counts = pad([other, torch.cat([other[:9], query, other[9:]]), torch.cat([slowly, other])])
    nowhere, here, slow = query_costs(query, block, counts).tolist()
    assert here == pytest.approx(0, abs=1e-6)
    assert slow == pytest.approx(0, abs=1e-6)
    assert nowhere > 0.05


def test_features_are_normalised_over_everything_that_was_added() -> None:
    generator = torch.Generator().manual_seed(0)
    utterances = [3 + 2 * torch.randn(2, count, 4, generator=generator) for count in (5, 40, 7)]
    normaliser = Normaliser()
    for each in utterances:
        normaliser.add(each)
    everything = torch.cat(utterances, dim=1)[1]
    wanted = (utterances[1][1] - everything.mean(0)) / everything.std(0, correction=0)
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    assert torch.allclose(normaliser(utterances[1], [1])[0], wanted, atol=1e-5)
