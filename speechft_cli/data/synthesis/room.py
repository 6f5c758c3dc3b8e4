"""Rooms and noise around speech, drawn by seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from speechft_cli.data.utterance import Seconds

_DIRECT = 0.5  # share of the energy that comes straight from the speaker


def reverberate(
    samples: NDArray[np.float64], seconds: Seconds, sample_rate: int, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Returns speech (N,) as in a room, as long and as loud as it was.

    The room is the direct sound and noise that falls by 60 dB in `seconds`: Polack's model of a late reverberation.
    """
    count = max(1, round(seconds * sample_rate))
    decay = 10 ** (-3 * np.arange(count) / count)
    tail = draw.standard_normal(count) * decay
    tail[0] = 0.0  # the direct sound's place: it does not move in time
    response = np.sqrt(1 - _DIRECT) * tail / np.linalg.norm(tail)
    response[0] = np.sqrt(_DIRECT)
    wet = fftconvolve(samples, response)[: len(samples)]
    return np.asarray(wet * (_rms(samples) / max(_rms(wet), 1e-12)))


def add_noise(samples: NDArray[np.float64], snr: float, draw: np.random.Generator) -> NDArray[np.float64]:
    """Returns speech (N,) with pink noise `snr` dB below it."""
    noise = pink_noise(len(samples), draw)
    return np.asarray(samples + noise * (_rms(samples) * 10 ** (-snr / 20) / _rms(noise)))


def pink_noise(count: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Returns noise (count,) with as much energy in each octave, of RMS 1."""
    spectrum = np.fft.rfft(draw.standard_normal(count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, count)
    return np.asarray(noise / _rms(noise))


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
