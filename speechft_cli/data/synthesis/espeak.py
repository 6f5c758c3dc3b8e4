"""espeak-ng through ctypes: text to samples and phonemes, the same bytes every time."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from types import TracebackType

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.synthesis.voices import Voice
from speechft_cli.errors import SpeechftError

# From espeak-ng's public header speak_lib.h, version 1.52.
_SYNCHRONOUS = 2
_RATE, _PITCH = 1, 3
_CHARACTERS = 1  # position type; also the text encoding UTF-8
_IPA = 0x02
_SEPARATOR = ord("_") << 8

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


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
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._samples = bytearray()
        self._callback = _Callback(self._receive)  # espeak-ng keeps only the address: it must live as long as we do
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> Espeak:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.espeak_Terminate()
        self._folder.cleanup()

    def speak(self, text: str, voice: Voice, *, rate: int, pitch: int) -> NDArray[np.int16]:
        """Returns the samples (N,) of `text`, with a pause at the end.

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
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, _CHARACTERS, 0, _CHARACTERS, None, None)
        return np.frombuffer(bytes(self._samples), dtype=np.int16)

    def phonemes(self, text: str, voice: Voice) -> list[str]:
        """Returns the phonemes of `text` in the voice's accent, in IPA with stress marks.

        Raises:
            SpeechftError: There is no such voice.
        """
        self._choose(voice)
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:  # each call takes one clause and moves the pointer behind it
            clauses.append(
                self._library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARACTERS, _IPA | _SEPARATOR).decode()
            )
        return " ".join(clauses).replace("_", " ").split()

    def _choose(self, voice: Voice) -> None:
        if self._library.espeak_SetVoiceByName(voice.espeak_name.encode()) != 0:
            raise SpeechftError(
                f"espeak-ng: must have the voice {voice.espeak_name!r}", "pip install -U espeakng-loader"
            )

    def _receive(self, samples: int | None, count: int, events: int | None) -> int:
        del events
        if samples is not None and count > 0:  # no samples: the end
            self._samples += ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_short))
        return 0  # go on
