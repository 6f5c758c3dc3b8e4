"""Short recordings for the tests of readers, manifests and batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

WriteWave = Callable[..., Path]


@pytest.fixture
def write_wave() -> WriteWave:
    """Writes a 220 Hz tone; the format follows the suffix."""

    def write(path: Path, *, seconds: float = 0.5, sample_rate: int = 16_000, channels: int = 1) -> Path:
        times = np.arange(round(seconds * sample_rate)) / sample_rate
        tone = 0.3 * np.sin(2 * np.pi * 220 * times)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), sample_rate)
        return path

    return write
