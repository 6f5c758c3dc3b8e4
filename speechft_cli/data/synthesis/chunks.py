"""Speech in chunks: each depends on seed, split and number only, so several processes make what one would."""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from speechft_cli.data.synthesis.commands import (
    DIGITS,
    INTENTS,
    KEYWORDS,
    OTHER_WORDS,
    SILENCE,
    UNKNOWN,
    draw_command,
)
from speechft_cli.data.synthesis.espeak import Espeak
from speechft_cli.data.synthesis.phonemes import in_arpabet
from speechft_cli.data.synthesis.recipe import Recipe
from speechft_cli.data.synthesis.room import add_noise, pink_noise, reverberate
from speechft_cli.data.synthesis.sentences import draw_sentence
from speechft_cli.data.synthesis.voices import Voice
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.io.atomic import disk_errors

SAMPLE_RATE = 16_000  # [Hz]
#: Utterances in a chunk: a copy of the synthesiser, which each chunk needs, takes the time of two.
CHUNK = 50

_RATE_SPREAD = 8  # words per minute, up and down
_PITCH_SPREAD = 4  # of espeak-ng's 100 steps, up and down
_LEAD = (0.03, 0.2)  # before the first sound [s]
_SILENCE_SECONDS = 1.0
_SILENCE_LEVELS = (3.0, 60.0)  # RMS, of 32768
#: How often each kind comes, spread evenly: words are short, so most of the time is sentences.
_TURNS = (
    *("sentences", "keywords", "sentences", "commands", "sentences"),
    *("keywords", "sentences", "digits", "sentences", "commands"),
) * 2 + ("sentences", "keywords")
_WORDS = (*KEYWORDS, UNKNOWN, SILENCE)
_HELD_OUT = {"dev": 8, "test": 9}  # last digit of a speaker's number


@dataclass(frozen=True)
class Plan:
    """A synthetic corpus.

    Attributes:
        seed: Of everything random.
        recipe: What it is made of.
        voices: Its speakers.
        folder: Where the recordings go.
        records: Where it is written down which chunks are spoken.
    """

    seed: int
    recipe: Recipe
    voices: tuple[Voice, ...]
    folder: Path
    records: Path


@dataclass(frozen=True)
class _Line:
    """What is said, and by whom; without text and voice it is silence."""

    kind: str
    text: str | None
    voice: Voice | None
    labels: dict[str, str]


def speak_chunk(plan: Plan, split: str, number: int) -> Iterator[tuple[Utterance, Seconds]]:
    """Writes the recordings of a chunk, 16 kHz FLAC, and yields each with its length [s]."""
    seed = int.from_bytes(hashlib.sha256(f"{plan.seed} {split} {number}".encode()).digest()[:4]) >> 1
    with Espeak(seed=seed) as espeak:
        for index in range(number * CHUNK, (number + 1) * CHUNK):
            draw = random.Random(f"{plan.seed} {split} {index}")
            line = _line(plan, split, index, draw)
            samples, phones = _say(espeak, line, plan.recipe, draw)
            speaker = line.voice.name if line.voice else SILENCE
            path = plan.folder / speaker / f"{split}-{index:06d}-{line.kind}.flac"
            path.parent.mkdir(exist_ok=True)
            with disk_errors(path.parent):
                soundfile.write(path, samples, SAMPLE_RATE)
            yield _utterance(line, path, phones), len(samples) / SAMPLE_RATE


def _line(plan: Plan, split: str, index: int, draw: random.Random) -> _Line:
    """Chooses what is said: kinds, speakers and classes take turns, so that even a small corpus has all of them."""
    turns = [kind for kind in _TURNS if kind in plan.recipe.contents]
    kind = turns[index % len(turns)]
    nth = index // len(turns) * turns.count(kind) + turns[: index % len(turns)].count(kind)  # of its kind
    if kind == "sentences":
        return _Line(kind, draw_sentence(draw, split), plan.voices[nth % len(plan.voices)], {})
    classes: Sequence[object] = {"keywords": _WORDS, "digits": DIGITS, "commands": INTENTS}[kind]
    group = _group(plan.voices, split)
    voice = group[(nth + nth // len(classes)) % len(group)]
    if kind == "keywords":
        keyword = _WORDS[nth % len(_WORDS)]
        labels = {"keyword": keyword if keyword in (UNKNOWN, SILENCE) else keyword.lower()}
        if keyword == SILENCE:
            return _Line(kind, None, None, labels)
        word = draw.choice(OTHER_WORDS) if keyword == UNKNOWN else keyword
        return _Line(kind, word, voice, labels | {"query": word.lower()})
    if kind == "digits":
        digit = DIGITS[nth % len(DIGITS)]
        return _Line(kind, digit, voice, {"digit": digit.lower(), "query": digit.lower()})
    command = draw_command(draw, INTENTS[nth % len(INTENTS)])
    labels = {"action": command.action, "object": command.object, "location": command.location, "slots": command.slots}
    return _Line(kind, command.text, voice, labels)


def _group(voices: Sequence[Voice], split: str) -> list[Voice]:
    """Returns the speakers of words and commands: no split has another's."""
    digit = _HELD_OUT.get(split)
    places = range(len(voices))
    if digit is None:
        return [voices[place] for place in places if place % 10 not in _HELD_OUT.values()]
    return [voices[place] for place in places if place % 10 == digit]


def _say(
    espeak: Espeak, line: _Line, recipe: Recipe, draw: random.Random
) -> tuple[NDArray[np.int16], list[tuple[str, Seconds, Seconds]]]:
    """Returns the samples (N,) at 16 kHz and the phonemes with their times."""
    noise = np.random.default_rng(draw.getrandbits(64))
    if line.voice is None or line.text is None:
        level = draw.uniform(*_SILENCE_LEVELS)
        return _to_int16(level * pink_noise(round(_SILENCE_SECONDS * SAMPLE_RATE), noise)), []
    speech = espeak.speak(
        line.text,
        line.voice,
        rate=line.voice.rate + draw.randint(-_RATE_SPREAD, _RATE_SPREAD),
        pitch=line.voice.pitch + draw.randint(-_PITCH_SPREAD, _PITCH_SPREAD),
    )
    lead = round(draw.uniform(*_LEAD) * SAMPLE_RATE)
    spoken = _resample(speech.samples.astype(np.float64), espeak.sample_rate)
    samples = np.concatenate([np.zeros(lead), spoken])
    if recipe.reverberation is not None:
        samples = reverberate(samples, recipe.reverberation, SAMPLE_RATE, noise)
    if recipe.snr is not None:
        samples = add_noise(samples, recipe.snr, noise)
    begin = lead / SAMPLE_RATE
    phones = [(phone.name, begin + phone.start, begin + phone.end) for phone in in_arpabet(speech.phones)]
    return _to_int16(samples), phones


def _resample(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Returns samples (N,) at `rate` as ones at 16 kHz."""
    up, down = Fraction(SAMPLE_RATE, rate).as_integer_ratio()
    return np.asarray(resample_poly(samples, up, down, window=_low_pass(up, down)))


@functools.cache
def _low_pass(up: int, down: int) -> NDArray[np.float64]:
    widest = max(up, down)
    return np.asarray(firwin(20 * widest + 1, 1 / widest, window=("kaiser", 5.0)))  # resample_poly's own


def _to_int16(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.round(samples), -(2**15), 2**15 - 1).astype(np.int16)


def _utterance(line: _Line, path: Path, phones: Sequence[tuple[str, Seconds, Seconds]]) -> Utterance:
    labels = dict(line.labels)
    if line.voice is not None:
        labels |= {"gender": line.voice.gender, "accent": line.voice.accent}
    if phones:
        labels["phone_times"] = " ".join(f"{start:.3f}-{end:.3f}" for _, start, end in phones)
    return Utterance(
        id=path.stem,
        audio=path,
        text=line.text,
        phones=" ".join(name for name, _, _ in phones) or None,
        speaker=line.voice.name if line.voice else None,
        labels=labels,
    )
