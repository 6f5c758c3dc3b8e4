"""Log mel features, which an encoder has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchaudio.compliance.kaldi import fbank
from torchaudio.functional import compute_deltas

from speechft_cli.encoders.base import SAMPLE_RATE, Framing
from speechft_cli.encoders.encoder import Encoded
from speechft_cli.errors import SpeechftError

_BANDS = 80
_WIDTH, _STRIDE = 400, 160  # of a frame [samples]: 25 ms, 10 ms
_DELTA_WINDOW = 5  # frames that a delta is taken over
_EPSILON = 1e-10


class LogMel(nn.Module):
    """80 log mel bands, their first and second deltas; normalised, each of the 240 has mean 0 and variance 1.

    There is one hidden state and nothing to train, fine-tune or merge. An utterance's features do not depend on what it
    shares a batch with.

    Source: SUPERB, Yang et al. 2021, arXiv 2105.01051, section 4.1 (FBANK); the numbers are those of s3prl 0.4.18,
        upstream/baseline/fbank.yaml.
    """

    kind = "logmel"
    #: One frame has no variance.
    framing = Framing(((_WIDTH, _STRIDE),), fewest_samples=_WIDTH + _STRIDE)

    def __init__(self, *, device: torch.device, normalise: bool) -> None:
        """Makes features.

        Args:
            device: Where the audio is.
            normalise: Whether to normalise over the utterance, as SUPERB does: then the mean over an utterance, which
                its utterance tasks hear, is zero.
        """
        super().__init__()
        self.device = device
        self._normalise = normalise

    def forward(self, waveforms: Sequence[Tensor]) -> Encoded:
        """Encodes a batch of waveforms (N_i,), 16 kHz, in [-1, 1]; frames past an utterance's own are zeros.

        Raises:
            SpeechftError: A waveform is too short for two frames.
        """
        if any(self.framing.count(len(waveform)) == 0 for waveform in waveforms):
            shortest = min(len(waveform) for waveform in waveforms)
            raise SpeechftError(f"waveform: must give at least two frames, got {shortest} samples at 16 kHz")
        features = [_features(waveform, normalise=self._normalise) for waveform in waveforms]
        counts = torch.tensor([len(each) for each in features], device=self.device)
        return Encoded((nn.utils.rnn.pad_sequence(features, batch_first=True),), counts)

    @property
    def configuration(self) -> str:
        """Nothing: all settings are numbers, and stand among the weights."""
        return ""

    def weights(self) -> dict[str, Tensor]:
        """Returns the settings as numbers: all that the features depend on besides the audio."""
        settings = {"bands": _BANDS, "width": _WIDTH, "stride": _STRIDE, "delta_window": _DELTA_WINDOW}
        settings |= {"normalise": self._normalise}
        return {f"logmel.{name}": torch.tensor(value) for name, value in settings.items()}


def _features(waveform: Tensor, *, normalise: bool) -> Tensor:
    """The features of one waveform (N,) -> (T, 240)."""
    bands = fbank(
        waveform[None],
        num_mel_bins=_BANDS,
        frame_length=1000 * _WIDTH / SAMPLE_RATE,
        frame_shift=1000 * _STRIDE / SAMPLE_RATE,
        sample_frequency=SAMPLE_RATE,
    )
    deltas = compute_deltas(bands.T, _DELTA_WINDOW)  # (T, 80) -> (80, T)
    features = torch.cat([bands.T, deltas, compute_deltas(deltas, _DELTA_WINDOW)]).T  # (T, 240)
    return (features - features.mean(dim=0)) / (features.std(dim=0) + _EPSILON) if normalise else features
