"""The synthetic corpus: sentences of a small grammar, spoken by forty espeak-ng voices."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch

from speechft_cli.data.audio import SAMPLE_RATE, resample
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.synthesis.espeak import Espeak
from speechft_cli.data.synthesis.phonemes import to_arpabet
from speechft_cli.data.synthesis.sentences import draw_sentence
from speechft_cli.data.synthesis.voices import VOICES, Voice
from speechft_cli.data.utterance import SPLITS, Seconds, Utterance
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_folder

_DEFAULT_HOURS = 0.1
_RATE_SPREAD = 8  # words per minute, up and down
_PITCH_SPREAD = 4  # of espeak-ng's 100 steps, up and down
_NOTICE_NAME = "README.txt"
_NOTICE = "Synthetic speech (espeak-ng), made by `speechft prepare synthetic`; the next run replaces this folder.\n"


def read(request: CorpusRequest) -> Iterator[Found]:
    """Generates the corpus; the same request gives the same bytes on the same machine.

    The speakers take turns, so train, dev and test have the same ones (speaker identification has its closed set and
    needs no split of its own), but no sentence in common. Dev and test are a tenth of train each, and at least one
    utterance of each of its speakers. A speaker's pitch and rate vary a little from utterance to utterance.

    Raises:
        RequestError: `audio` in the root is somebody else's.
    """
    audio = request.root / "audio"
    if audio.exists() and not (audio / _NOTICE_NAME).is_file():
        raise RequestError(f"{audio}: must be absent, or made by 'synthetic' before", "choose another --out")
    train_seconds = (_DEFAULT_HOURS if request.hours is None else request.hours) * 3600
    speakers = 1
    with atomic_folder(audio) as folder, Espeak(seed=request.seed) as espeak, _one_thread():
        (folder / _NOTICE_NAME).write_text(_NOTICE, encoding="utf-8")
        for split in SPLITS:
            wanted = train_seconds if split == "train" else train_seconds / 10
            draw = random.Random(f"{request.seed} {split}")
            total, spoken = 0.0, 0
            while total < wanted or spoken < speakers:
                voice = VOICES[spoken % len(VOICES)]
                path = folder / voice.variant / f"{split}-{voice.variant}-{spoken:05d}.flac"
                text = draw_sentence(draw, split)
                total += _write_speech(espeak, text, voice, draw, path)
                spoken += 1
                yield (
                    split,
                    Utterance(
                        id=path.stem,
                        audio=audio / path.relative_to(folder),
                        text=text,
                        phones=to_arpabet(espeak.phonemes(text, voice)),
                        speaker=voice.variant,
                    ),
                )
            if split == "train":
                speakers = min(spoken, len(VOICES))


SYNTHETIC = Corpus(read, needs_root=False)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Lets torch work alone: for such short waves threads cost more than they bring, and may round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _write_speech(espeak: Espeak, text: str, voice: Voice, draw: random.Random, path: Path) -> Seconds:
    """Writes `text` as 16 kHz FLAC and returns how long it is [s]."""
    samples = espeak.speak(
        text,
        voice,
        rate=voice.rate + draw.randint(-_RATE_SPREAD, _RATE_SPREAD),
        pitch=voice.pitch + draw.randint(-_PITCH_SPREAD, _PITCH_SPREAD),
    )
    waveform = resample(torch.from_numpy(samples.astype(np.float32)), espeak.sample_rate, SAMPLE_RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform.round().clamp(-(2**15), 2**15 - 1).to(torch.int16).numpy(), SAMPLE_RATE)
    return len(waveform) / SAMPLE_RATE
