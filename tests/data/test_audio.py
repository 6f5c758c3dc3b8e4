from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import SpeechftError

WriteWave = Callable[..., Path]


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.tile([0.5, -0.25], (16_000, 1)), 16_000)
    waveform = read_waveform(Utterance("u", path, duration=1.0, sample_rate=16_000))
    assert waveform.shape == (16_000,)
    assert torch.allclose(waveform, torch.full((16_000,), 0.125), atol=1e-4)


def test_a_stretch_begins_and_ends_where_it_says(tmp_path: Path) -> None:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(16_000) / 32_768, 16_000, subtype="PCM_16")
    waveform = read_waveform(Utterance("u", path, start=0.5, duration=0.25, sample_rate=16_000))
    assert torch.equal(waveform * 32_768, torch.arange(8_000.0, 12_000.0))


def test_another_rate_is_resampled_and_a_tone_stays_a_tone(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "a.wav", seconds=1.0, sample_rate=44_100, channels=2)
    waveform = read_waveform(Utterance("u", path, duration=1.0, sample_rate=44_100))
    wanted = 0.3 * torch.sin(2 * torch.pi * 220 * torch.arange(16_000) / 16_000)
    assert waveform.shape == (16_000,)
    assert (waveform - wanted)[200:-200].abs().max() < 2e-3  # the filter rings at both ends


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("no wave")
    with pytest.raises(SpeechftError, match=r"a\.wav: can't be read as audio"):
        read_waveform(Utterance("u", path, duration=1.0, sample_rate=16_000))


def test_a_sample_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    samples = np.zeros(8_000, dtype=np.float32)
    samples[4_000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(SpeechftError, match=r"nan\.wav: must have finite samples"):
        read_waveform(Utterance("nan", tmp_path / "nan.wav", duration=0.5, sample_rate=16_000))
