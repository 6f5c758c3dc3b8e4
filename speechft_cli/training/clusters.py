"""Units: clusters of frames, the targets of masked prediction.

Source: HuBERT, Hsu et al. 2021, arXiv 2106.07447, section III-C: 39 MFCC coefficients first, then the features of an
earlier encoder's layer; minibatch k-means.
"""

from __future__ import annotations

import numpy as np
import torch
import torchaudio.compliance.kaldi as kaldi
import torchaudio.functional as F
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.batches import FRAME_STRIDE

#: MFCC frames begin every 10 ms and are 25 ms long, which is just what a CNN encoder's frame hears.
_HOP = 160
_WINDOW = 400
_FEWEST_SAMPLES = 3 * _HOP + _WINDOW


def mfcc(waveform: Tensor) -> Tensor:
    """Returns 13 MFCCs with their first and second differences at the frames of a CNN encoder: (N,) -> (T, 39).

    Args:
        waveform: (N,), 16 kHz.
    """
    frames = max(0, (len(waveform) - _WINDOW) // FRAME_STRIDE + 1)
    if len(waveform) < _FEWEST_SAMPLES:
        waveform = torch.nn.functional.pad(waveform, (0, _FEWEST_SAMPLES - len(waveform)))
    static = kaldi.mfcc(waveform[None], sample_frequency=SAMPLE_RATE, use_energy=False).T  # (13, T')
    first = F.compute_deltas(static)
    features = torch.cat([static, first, F.compute_deltas(first)]).T  # (T', 39)
    return features[:: FRAME_STRIDE // _HOP][:frames].contiguous()


def fit_clusters(features: NDArray[np.float32], *, clusters: int, seed: int) -> NDArray[np.float32]:
    """Returns the centres (C, D) of `clusters` clusters of the frames (F, D), by minibatch k-means.

    Args:
        features: At least as many frames as clusters.
        clusters: C.
        seed: The same seed gives the same centres.
    """
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
