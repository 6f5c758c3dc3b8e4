"""Opening and reading recordings with soundfile: WAV, FLAC, Ogg, MP3, NIST SPHERE, no FFmpeg."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio.transforms
from torch import Tensor

from speechft_cli.data.headers import at_frame, decoder_says
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.errors import RequestError, SpeechftError

#: Every encoder family here was pre-trained at 16 kHz [Hz].
SAMPLE_RATE = 16_000

_CURE = "speechft prepare again lists what is wrong with the corpus"
#: `prepare` takes an archive that is as long as it was for the one it wrote.
_ARCHIVE_CURE = "delete that archive, and the same speechft prepare writes it again"


def read_waveform(utterance: Utterance, *, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Reads one utterance as mono at `sample_rate`.

    Args:
        utterance: What to read.
        sample_rate: Wanted rate [Hz]; other rates are resampled.

    Returns:
        The waveform (N,), float32 in [-1, 1].

    Raises:
        SpeechftError: The file can't be read; the message names the utterance and the file.
    """
    try:
        return read_stretch(
            utterance.audio,
            start=utterance.start,
            duration=utterance.duration,
            sample_rate=sample_rate,
            offset=utterance.offset,
            size=utterance.size,
        )
    except SpeechftError as error:  # an archive holds many
        raise SpeechftError(f"utterance {utterance.id}: {error.message}", error.hint) from error


def read_stretch(
    path: Path, *, start: Seconds, duration: Seconds, sample_rate: int, offset: int = 0, size: int = 0
) -> Tensor:
    """Reads `duration` seconds from `start` on as mono at `sample_rate`; channels are averaged.

    With a size the recording is that many bytes from `offset` on of an archive.

    Raises:
        SpeechftError: The file can't be read; the message names it.
    """
    try:
        with _open(path, offset, size) as audio:
            rate = audio.samplerate
            with at_frame(audio, round(start * rate)):
                samples = audio.read(round(duration * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        if not path.is_file():
            raise SpeechftError(*_gone(path)) from error
        cure = _ARCHIVE_CURE if size else _CURE
        raise SpeechftError(f"{path}: can't be read as audio: {decoder_says(error)}", cure) from error
    if not np.isfinite(samples).all():
        raise SpeechftError(f"{path}: must have finite samples, has NaN or Inf", "take it out of the corpus or mend it")
    waveform = torch.from_numpy(samples).mean(dim=1)  # (N, channels) -> (N,)
    return resample(waveform, rate, sample_rate)


def require_audio(utterance: Utterance) -> None:
    """Makes sure that the file of an utterance is there.

    Raises:
        RequestError: It isn't.
    """
    if not utterance.audio.is_file():
        raise RequestError(*_gone(utterance.audio))


def _gone(path: Path) -> tuple[str, str]:
    return (
        f"{path}: must be a recording, but there is no such file",
        "were the recordings moved? speechft prepare makes the manifests anew",
    )


def _open(path: Path, offset: int, size: int) -> soundfile.SoundFile:
    if not size:
        return soundfile.SoundFile(path)
    with path.open("rb") as archive:
        archive.seek(offset)
        return soundfile.SoundFile(io.BytesIO(archive.read(size)))


def resample(waveform: Tensor, rate: int, sample_rate: int) -> Tensor:
    """Returns a waveform (N,) recorded at `rate` [Hz] as one at `sample_rate` [Hz]."""
    return waveform if rate == sample_rate else _resampler(rate, sample_rate)(waveform)


@functools.cache
def _resampler(rate: int, sample_rate: int) -> torchaudio.transforms.Resample:
    return torchaudio.transforms.Resample(rate, sample_rate)  # computing its filter costs more than using it
