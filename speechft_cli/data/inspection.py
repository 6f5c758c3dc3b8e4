"""Opening each recording before anybody trains on it: is it there, can it be decoded, is it as long as it should be?"""

from __future__ import annotations

from dataclasses import replace

import soundfile

from speechft_cli.data.corpus import Rejected
from speechft_cli.data.utterance import Seconds, Utterance

#: Lists round durations, and lossy formats pad; a recording may be this much shorter than its list says [s].
_TOLERANCE = 0.05


def inspect_utterance(
    utterance: Utterance, split: str, *, min_seconds: Seconds, max_seconds: Seconds
) -> Utterance | Rejected:
    """Returns the utterance with duration and sample rate filled in, or why it can't be used.

    The header is read, and one sample at the end of the utterance: a file that was cut short still has the header of
    the whole one.
    """

    def reject(reason: str, detail: str = "") -> Rejected:
        return Rejected(utterance.id, utterance.audio, split, reason, detail)

    try:
        if not utterance.audio.is_file():
            return reject("no such file")
        if utterance.audio.stat().st_size == 0:
            return reject("file of 0 bytes")
    except (OSError, ValueError) as error:  # a name too long for a file, or with a NUL in it
        return reject("no name of a file", str(error))
    try:
        audio = soundfile.SoundFile(utterance.audio)
    except (soundfile.LibsndfileError, OSError) as error:
        return reject("can't be decoded", str(error))
    with audio:
        rate, frames = audio.samplerate, audio.frames
        length = frames / rate
        duration = utterance.duration or length - utterance.start
        end = utterance.start + duration
        if frames == 0:
            return reject("no audio in the file")
        if end > length + _TOLERANCE or duration <= 0:
            return reject("shorter than start + duration", f"{length:.2f} s, wanted up to {end:.2f} s")
        if not _can_read(audio, min(round(end * rate), frames) - 1):
            return reject("cut short", f"nothing at {end:.2f} s, where the header promises more")
    duration = min(duration, length - utterance.start)
    if duration < min_seconds:
        return reject("shorter than min_seconds", f"{duration:.2f} s < {min_seconds:g} s")
    if duration > max_seconds:
        return reject("longer than max_seconds", f"{duration:.2f} s > {max_seconds:g} s")
    return replace(utterance, duration=duration, sample_rate=rate)


def _can_read(audio: soundfile.SoundFile, frame: int) -> bool:
    try:
        audio.seek(frame)
        return len(audio.read(1)) == 1
    except (soundfile.LibsndfileError, RuntimeError):
        return False
