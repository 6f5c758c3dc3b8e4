"""Listening to every sample of an utterance: is there sound, is it whole, is it distorted?"""

from __future__ import annotations

import numpy as np
import soundfile

from speechft_cli.data.headers import RecordingFile, UnreadableError, at_frame, decoder_says, open_audio

_BLOCK = 1 << 18  # frames decoded at a time: a recording of ten hours takes no more memory than one of ten seconds
_FULL_SCALE = 0.999
_SILENCE = 1e-3  # -60 dB below full scale
_MOST_CLIPPED = 0.01


def check_samples(file: RecordingFile, *, first: int, count: int) -> None:
    """Decodes a stretch.

    Args:
        file: The recording.
        first: Its first frame.
        count: How many frames.

    Raises:
        UnreadableError: The stretch is broken, silent or clipped.
    """
    peak, clipped, done = 0.0, 0, 0
    try:
        with open_audio(file) as audio, at_frame(audio, first):
            while done < count:
                block = audio.read(min(_BLOCK, count - done), dtype="float32", always_2d=True)
                if len(block) == 0:
                    raise UnreadableError("cut short", f"{done} of {count} samples can be decoded")
                level = np.abs(block).max(axis=1)  # (N, channels) -> (N,)
                if not np.isfinite(level).all():
                    raise UnreadableError("NaN or Inf samples")
                peak = max(peak, float(level.max()))
                clipped += int((level >= _FULL_SCALE).sum())
                done += len(block)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError) as error:
        raise UnreadableError("can't be decoded", decoder_says(error)) from error
    if peak < _SILENCE:
        raise UnreadableError("silent", f"peak {20 * np.log10(peak):.0f} dB" if peak else "all samples are 0")
    if clipped > _MOST_CLIPPED * count:
        raise UnreadableError("clipped", f"{100 * clipped / count:.1f} % of the samples at full scale")
