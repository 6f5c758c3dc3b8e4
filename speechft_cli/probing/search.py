"""Query by example on frozen encoders: every layer is searched with the queries of dev, the best one with test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechft_cli.data.utterance import Utterance
from speechft_cli.events import Advanced, Finished, Report, Started
from speechft_cli.probing.features import Features
from speechft_cli.probing.job import Outcome, ProbeJob
from speechft_cli.probing.matching import Normaliser, pad, query_costs
from speechft_cli.probing.sweep import Swept
from speechft_cli.tasks.qbe import relevance

#: Frames of documents that are searched at once, padding included.
_FRAMES = 8192


def evaluate_search(job: ProbeJob, label: str, features: Features, *, device: torch.device, report: Report) -> Outcome:
    """Chooses the layer whose search is best on dev, and searches with the queries of test in that layer only.

    Args:
        job: Query by example.
        label: The encoder's name.
        features: The encoder's.
        device: Where to search.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read.
    """
    task = job.task
    assert not task.is_trained
    documents = job.heard("train")
    references = {split: job.targets(split) for split in ("dev", "test")}

    def search(split: str, layers: Sequence[int] | None) -> NDArray[np.float32]:
        queries = job.heard(split)
        report(Started(f"{label}: {job.task.name} searches for {split}", len(documents), "documents"))
        found = _scores(queries, documents, features, layers, device, lambda done: report(Advanced(done)))
        report(Finished())
        return found

    on_dev = search("dev", None)  # (L, Q, M)
    values = [task.score(task.predict(each), references["dev"])["mtwv"] for each in on_dev]
    # where a small dev set has many layers at 0, those that put the right documents higher come first
    heights = [_height(each, references["dev"]) for each in on_dev]
    best = max(range(len(on_dev)), key=lambda layer: (values[layer], heights[layer]))
    predictions = task.predict(search("test", [best])[0])
    return Outcome(
        Swept(None, tuple((float(layer), value) for layer, value in enumerate(values)), False, (), layer=best),
        ({"mtwv": values[best]},),
        (task.score(predictions, references["test"]),),
        (predictions,),
    )


def _height(scores: NDArray[np.float32], references: Sequence[str]) -> float:
    """Returns the mean score of the documents that hold their query's term."""
    is_relevant = relevance(references)
    return float(scores[is_relevant].mean()) if is_relevant.any() else 0.0


def _scores(
    queries: Sequence[Utterance],
    documents: Sequence[Utterance],
    features: Features,
    layers: Sequence[int] | None,
    device: torch.device,
    advance: Callable[[int], None],
) -> NDArray[np.float32]:
    """Returns the score of each query for each document, in each layer: (L, Q, M).

    Scores have mean 0 and variance 1 over the documents, so that one threshold can serve all queries.
    """
    normaliser = Normaliser()
    for each in (*queries, *documents):
        normaliser.add(*features.hidden_states([each]))
    of_queries = features.hidden_states(queries)
    chosen = range(len(of_queries[0])) if layers is None else layers
    asked = [normaliser(each, chosen).to(device) for each in of_queries]
    costs = torch.empty(len(chosen), len(queries), len(documents))
    done = 0
    for places in _blocks(documents):
        heard = [
            normaliser(each, chosen).to(device)
            for each in features.hidden_states([documents[place] for place in places])
        ]
        for turn in range(len(chosen)):
            block, counts = pad([each[turn] for each in heard])
            found = [query_costs(query[turn], block, counts) for query in asked]
            costs[turn][:, places] = torch.stack(found).cpu()
        done += len(places)
        advance(done)
    return _standardised(-costs)


def _blocks(documents: Sequence[Utterance]) -> Iterator[list[int]]:
    """Yields places of documents of like length, so many as are searched at once."""
    block: list[int] = []
    for place in sorted(range(len(documents)), key=lambda place: documents[place].duration):
        # 50 frames a second, more or less
        if block and 50 * documents[place].duration * (len(block) + 1) > _FRAMES:
            yield block
            block = []
        block.append(place)
    yield block


def _standardised(scores: Tensor) -> NDArray[np.float32]:
    deviation, mean = torch.std_mean(scores, dim=2, correction=0, keepdim=True)
    return np.asarray(((scores - mean) / deviation.clamp(min=1e-9)).numpy())
