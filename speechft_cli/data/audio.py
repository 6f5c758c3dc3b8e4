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
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError, SpeechftError

#: Every encoder family here was pre-trained at 16 kHz [Hz].
SAMPLE_RATE = 16_000

_CURE = "speechft prepare again lists what is wrong with the corpus"
#: `prepare` takes an archive that is as long as it was for the one it wrote.
_ARCHIVE_CURE = "delete that archive, and the same speechft prepare writes it again"


def read_waveform(utterance: Utterance) -> Tensor:
    """Reads one utterance as mono at 16 kHz: channels are averaged, other rates are resampled.

    Returns:
        The waveform (N,), float32 in [-1, 1].

    Raises:
        SpeechftError: The file can't be read; the message names the utterance and the file.
    """
    path, where = utterance.audio, f"utterance {utterance.id}: "  # an archive holds many
    try:
        with _open(utterance) as audio:
            rate = audio.samplerate
            with at_frame(audio, round(utterance.start * rate)):
                samples = audio.read(round(utterance.duration * rate), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        problem = f"{path}: can't be read as audio: {decoder_says(error)}"
        cure = _ARCHIVE_CURE if utterance.size else _CURE
        if not path.is_file():
            problem, cure = _gone(path)
        raise SpeechftError(where + problem, cure) from error
    if not np.isfinite(samples).all():
        problem = f"{path}: must have finite samples, has NaN or Inf"
        raise SpeechftError(where + problem, "take it out of the corpus or mend it")
    waveform = torch.from_numpy(samples).mean(dim=1)  # (N, channels) -> (N,)
    return waveform if rate == SAMPLE_RATE else _resampler(rate)(waveform)


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


def _open(utterance: Utterance) -> soundfile.SoundFile:
    if not utterance.size:
        return soundfile.SoundFile(utterance.audio)
    with utterance.audio.open("rb") as archive:
        archive.seek(utterance.offset)
        return soundfile.SoundFile(io.BytesIO(archive.read(utterance.size)))


@functools.cache
def _resampler(rate: int) -> torchaudio.transforms.Resample:
    return torchaudio.transforms.Resample(rate, SAMPLE_RATE)  # computing its filter costs more than using it
