"""Units: clusters of frames, the targets of masked prediction.

Source: HuBERT, Hsu et al. 2021, arXiv 2106.07447, section III-C: 39 MFCC coefficients first, then the features of an
earlier encoder's layer; minibatch k-means.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torchaudio.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.transforms import MFCC

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.batches import FRAME_STRIDE

#: MFCC frames begin every 10 ms and are 25 ms long, which is just what a CNN encoder's frame hears.
_HOP = 160
_WINDOW = 400


def mfcc(waveform: Tensor) -> Tensor:
    """Returns 13 MFCCs with their first and second differences at the frames of a CNN encoder: (N,) -> (T, 39).

    Args:
        waveform: (N,), 16 kHz, long enough for a frame.
    """
    static = _mfcc()(F.preemphasis(waveform))  # (N,) -> (13, T')
    first = F.compute_deltas(static)
    features = torch.cat([static, first, F.compute_deltas(first)]).T  # (T', 39)
    return features[:: FRAME_STRIDE // _HOP].contiguous()


@functools.cache
def _mfcc() -> MFCC:
    # its filters cost more to compute than to use
    return MFCC(
        SAMPLE_RATE,
        n_mfcc=13,
        log_mels=True,
        melkwargs={"n_fft": _WINDOW, "hop_length": _HOP, "n_mels": 23, "f_min": 20.0, "center": False},
    )


def fit_clusters(features: NDArray[np.float32], *, clusters: int, seed: int) -> NDArray[np.float32]:
    """Returns the centres (C, D) of `clusters` clusters of the frames (F, D), by minibatch k-means.

    Args:
        features: At least as many frames as clusters.
        clusters: C.
        seed: The same seed gives the same centres.
    """
    from sklearn.cluster import MiniBatchKMeans  # more than a second, for which no other task waits

    means = MiniBatchKMeans(
        n_clusters=clusters,
        batch_size=min(10_000, len(features)),
        n_init=5,
        max_no_improvement=100,
        reassignment_ratio=0.0,
        random_state=seed,
    )
    means.fit(features)
    centres: NDArray[np.float32] = means.cluster_centers_.astype(np.float32)
    return centres


def nearest_clusters(features: Tensor, centres: Tensor) -> Tensor:
    """Returns the index of the nearest centre of each frame: (T, D), (C, D) -> (T,)."""
    # ‖x − c‖² without ‖x‖², which is the same for every centre
    return (centres.square().sum(dim=1) - 2 * features @ centres.T).argmin(dim=1)
