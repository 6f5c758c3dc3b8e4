"""Pictures of what is in a manifest folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE_RATE = 16_000
# Okabe and Ito's, as the alpha curves
_COLOURS = {"train": "#009E73", "dev": "#D55E00", "test": "#0072B2"}


def draw_durations(durations: Mapping[str, np.ndarray]) -> bytes:
    """Returns a PNG: how many utterances are how long, the splits beside each other.

    Args:
        durations: Split → length of each utterance [s].
    """
    figure = _figure(7.0, 4.0)
    axes = figure.subplots()
    longest = max((float(values.max()) for values in durations.values() if len(values)), default=1.0)
    axes.hist(
        list(durations.values()),
        bins=np.linspace(0, longest, 31).tolist(),
        label=[f"{split} ({len(values)})" for split, values in durations.items()],
        color=[_COLOURS[split] for split in durations],
    )
    axes.set_xlabel("duration [s]")
    axes.set_ylabel("utterances")
    axes.set_yscale("symlog", linthresh=10)  # a small split stays visible beside a large one
    axes.grid(visible=True, alpha=0.25)
    axes.legend(frameon=False)
    return _png(figure)


def draw_utterances(waveforms: Sequence[tuple[str, np.ndarray]]) -> bytes:
    """Returns a PNG: waveform and spectrogram of each utterance.

    Args:
        waveforms: Title and samples (N,) at 16 kHz.
    """
    figure = _figure(9.0, 2.2 * len(waveforms))
    grid = figure.subplots(len(waveforms), 2, squeeze=False)
    for (title, samples), (wave, spectrogram) in zip(waveforms, grid, strict=True):
        seconds = len(samples) / SAMPLE_RATE
        wave.plot(np.arange(len(samples)) / SAMPLE_RATE, samples, linewidth=0.4, color=_COLOURS["test"])
        wave.set_xlim(0, seconds)
        wave.set_ylim(-1, 1)
        # an id may hold $ and _, which matplotlib would read as a formula
        wave.set_title(title, fontsize=8, parse_math=False)
        wave.set_xlabel("time [s]", fontsize=8)
        if len(samples) >= 400:  # one window of 25 ms
            padded = samples + 1e-6 * np.random.default_rng(0).standard_normal(len(samples))  # silence has no logarithm
            spectrogram.specgram(padded, NFFT=400, noverlap=240, Fs=SAMPLE_RATE, cmap="magma")
        spectrogram.set_xlabel("time [s]", fontsize=8)
        spectrogram.set_ylabel("frequency [Hz]", fontsize=8)
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
