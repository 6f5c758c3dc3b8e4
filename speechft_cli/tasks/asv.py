"""Speaker verification: is it the same speaker in both utterances, whom training never heard?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from speechft_cli.errors import RequestError
from speechft_cli.tasks.base import FIELD_SEPARATOR, Metric, Vocabulary
from speechft_cli.tasks.trials import Trials, all_trials, equal_error_rate, listed_trials
from speechft_cli.tasks.xvector import EMBEDDING, RECEPTIVE_FIELD, XVectorHead

_SCALE = 30.0
_MARGIN = 0.4
#: What a vector's norm is at least, so that one of zeros has a cosine of 0 with any other.
_LEAST_NORM = 1e-12
#: Trials compared at once: their vectors fit into a processor's cache.
_AT_ONCE = 2**8


@dataclass(frozen=True)
class SpeakerVerification:
    """Training tells its speakers apart; test compares vectors of two utterances by their cosine.

    A target is speaker, utterance id and trials, joined by tabs. A prediction is the utterance's vector, in float32
    as hexadecimal text.
    """

    name: str = "asv"
    needs: str = "speaker+id+trials?"
    metrics: tuple[Metric, ...] = (Metric("eer", "EER", "%", "lower"),)
    is_trained: Literal[True] = True
    is_pooled: bool = False
    is_closed_set: bool = False
    probe_steps: int = 2_000
    probe_learning_rates: tuple[float, ...] = (1e-3,)

    def normalise(self, target: str) -> str:
        """Returns the target as it is."""
        return target

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns every speaker of the train split, sorted."""
        return Vocabulary(tuple(sorted({_speaker(target) for target in targets})))

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns the one index of the speaker."""
        return [vocabulary.index[_speaker(target)]]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns how many frames the head looks at at once."""
        del target
        return RECEPTIVE_FIELD

    def frames_at_most(self, target: str, vocabulary: Vocabulary) -> None:
        """Returns None: encoding is a glance."""
        del target, vocabulary

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns SUPERB's x-vector head."""
        return XVectorHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return XVectorHead(width, classes)

    def loss(
        self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]], vocabulary: Vocabulary
    ) -> Tensor:
        """Returns the additive-margin softmax loss, margin 0.4, scale 30 (Wang et al. 2018, arXiv 1801.05599)."""
        del frame_counts
        cosines = logits[:, EMBEDDING:].float()
        truth = torch.tensor([target[0] for target in targets], device=logits.device)
        return F.cross_entropy(_SCALE * (cosines - _MARGIN * F.one_hot(truth, len(vocabulary))), truth)

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the vector of each utterance."""
        del frame_counts, vocabulary
        vectors = logits[:, :EMBEDDING].detach().float().cpu().numpy().astype("<f4")
        return [vector.tobytes().hex() for vector in vectors]

    def check_references(self, references: Sequence[str]) -> str:
        """Returns how many trials name an utterance that is not there; those are left out.

        Raises:
            RequestError: A trial is wrong, or all are of one kind, of which no rate can be had.
        """
        chosen, absent = _trials(references)
        same = int(chosen.is_same.sum())
        if not 0 < same < len(chosen.is_same):
            raise RequestError(
                f"asv: must have pairs of utterances of one speaker and pairs of two, has {same} and "
                f"{len(chosen.is_same) - same}",
                "dev and test need two speakers or more, some of them with several utterances",
            )
        return f"trials left out, as they name an utterance that is not there: {absent}" if absent else ""

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns the equal error rate [%] over the trials that references name, or over all pairs.

        Raises:
            RequestError: A trial is wrong.
        """
        chosen, _ = _trials(references)
        vectors = np.stack([np.frombuffer(bytes.fromhex(each), dtype="<f4") for each in predictions]).astype(np.float64)
        # in float32 the cosines of a probe that has hardly learnt, all near 1, would be told apart by rounding alone
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST_NORM)
        return {"eer": equal_error_rate(_cosines(vectors, chosen), chosen.is_same)}


def _trials(references: Sequence[str]) -> tuple[Trials, int]:
    """Returns what is compared, and how many trials can't be."""
    speakers, ids, trials = zip(*(reference.split(FIELD_SEPARATOR) for reference in references), strict=True)
    if not any(trials):
        return all_trials(speakers), 0
    return listed_trials(trials, {name: place for place, name in enumerate(ids)})


def _cosines(vectors: NDArray[np.float64], trials: Trials) -> NDArray[np.float64]:
    """Returns the cosine of each trial of vectors of norm 1, in parts: all pairs at once would fill the memory."""
    parts = [np.empty(0)]
    for first in range(0, len(trials.left), _AT_ONCE):
        left, right = (vectors[places[first : first + _AT_ONCE]] for places in (trials.left, trials.right))
        parts.append(np.vecdot(left, right))
    return np.concatenate(parts)


def _speaker(target: str) -> str:
    return target.partition(FIELD_SEPARATOR)[0]


ASV = SpeakerVerification()
