"""espeak-ng through ctypes: text to samples and phonemes, the same bytes every time."""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from itertools import pairwise

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.synthesis.phonemes import Phone
from speechft_cli.data.synthesis.voices import Voice
from speechft_cli.errors import SpeechftError

# From espeak-ng's public header speak_lib.h, version 1.52.
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _IN_IPA = 1, 2
_END, _PHONEME = 0, 7  # types of events
_RATE, _PITCH = 1, 3
_CHARACTERS = 1  # position type; also the text encoding UTF-8
_PALATAL = "ʲ"  # the Scottish voice says HAPPY with a vowel of two events


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Speech:
    """What was said.

    Attributes:
        samples: (N,), at the synthesiser's rate.
        phones: In IPA with stress marks, in time; pauses are left out.
    """

    samples: NDArray[np.int16]
    phones: tuple[Phone, ...]


class Espeak:
    """A synthesiser of its own: no other user of espeak-ng in this process can change what it says.

    espeak-ng keeps voice, flutter and noise in global variables that even a new initialisation does not reset. A
    private copy of the library brings fresh ones, so the same calls in the same order give the same samples.

    Attributes:
        sample_rate: Of what `speak` returns [Hz].

    Raises:
        SpeechftError: The library can't be loaded.
    """

    def __init__(self, *, seed: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="speechft-espeak-")
        try:
            self._library = ctypes.CDLL(shutil.copy(espeakng_loader.get_library_path(), self._folder.name))
        except OSError as error:
            self._folder.cleanup()
            raise SpeechftError(
                f"espeak-ng: can't be loaded: {error}",
                "TMPDIR must name a folder on a disk that allows programs to run",
            ) from error
        data = str(espeakng_loader.get_data_path()).encode()
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _IN_IPA)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        self._samples = bytearray()
        self._events: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)  # espeak-ng keeps only the address: it must live as long as we do
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> Espeak:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)  # a corpus takes thousands of copies, one after the other
        self._folder.cleanup()

    def speak(self, text: str, voice: Voice, *, rate: int, pitch: int) -> Speech:
        """Returns `text` as it is said, with a pause at the end.

        Args:
            text: What to say.
            voice: Who says it.
            rate: Words per minute, 80 to 450.
            pitch: 0 to 99.

        Raises:
            SpeechftError: There is no such voice.
        """
        self._choose(voice)
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._samples.clear()
        self._events.clear()
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _CHARACTERS, None, None)
        return Speech(np.frombuffer(bytes(self._samples), dtype=np.int16), self._phones())

    def _choose(self, voice: Voice) -> None:
        if self._library.espeak_SetVoiceByName(voice.espeak_name.encode()) != 0:
            raise SpeechftError(
                f"espeak-ng: must have the voice {voice.espeak_name!r}", "pip install -U espeakng-loader"
            )

    def _phones(self) -> tuple[Phone, ...]:
        """Returns the phonemes of the last speech; an event is where one begins, one without a name a pause."""
        found: list[Phone] = []
        for (start, name), (end, _) in pairwise([*self._events, (len(self._samples) // 2, "")]):
            if name == _PALATAL and found:  # the second half of a vowel that both are
                found[-1] = Phone(found[-1].name + name, found[-1].start, end / self.sample_rate)
            elif name and found and start == end:  # a dark L is spoken as part of its vowel: they share its time
                vowel = found.pop()
                middle = (vowel.start + vowel.end) / 2
                found += [Phone(vowel.name, vowel.start, middle), Phone(name, middle, vowel.end)]
            elif name:
                found.append(Phone(name, start / self.sample_rate, end / self.sample_rate))
        return tuple(found)

    def _receive(self, samples: int | None, count: int, events: ctypes.Array[_Event] | None) -> int:
        place = 0
        while events and events[place].type != _END:
            if events[place].type == _PHONEME:
                self._events.append((events[place].sample, events[place].string.decode()))
            place += 1
        if samples is not None and count > 0:  # no samples: the end
            self._samples += ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_short))
        return 0  # go on
