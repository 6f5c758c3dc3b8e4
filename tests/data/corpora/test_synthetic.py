import itertools
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.data.corpora.synthetic import SYNTHETIC
from speechft_cli.data.corpus import CorpusRequest, Rejected
from speechft_cli.data.synthesis.espeak import Espeak
from speechft_cli.data.synthesis.phonemes import PHONEMES, to_arpabet
from speechft_cli.data.synthesis.sentences import WORDS, draw_sentence
from speechft_cli.data.synthesis.voices import VOICES, Voice
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError, SpeechftError


def generate(out: Path, *, seed: int = 0, hours: float = 0.002) -> list[tuple[str, Utterance]]:
    found = SYNTHETIC.read(CorpusRequest(out, hours=hours, seed=seed))
    return [each for each in found if not isinstance(each, Rejected)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_any_two_of_the_forty_voices_differ_more_than_a_voice_from_itself() -> None:
    def spectrum(samples: np.ndarray) -> np.ndarray:
        frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
        return np.log(np.abs(np.fft.rfft(frames))[:, 1:100] + 1).mean(axis=0)

    def speak() -> list[np.ndarray]:
        sentence = "THE QUICK DOG WATCHED THE QUIET HARBOUR"
        return [spectrum(espeak.speak(sentence, voice, rate=voice.rate, pitch=voice.pitch)) for voice in VOICES]

    with Espeak(seed=0) as espeak:
        first, second = speak(), speak()
    assert len(VOICES) == len({voice.variant for voice in VOICES}) == 40
    for one, other in itertools.permutations(range(len(VOICES)), 2):
        assert np.linalg.norm(first[one] - first[other]) > np.linalg.norm(first[one] - second[one])


def test_every_word_has_phonemes_of_the_inventory_in_every_accent() -> None:
    accents = {voice.accent: voice for voice in VOICES}
    draw = random.Random(0)
    texts = [*WORDS, *(f"{word}'S" for word in WORDS), *(draw_sentence(draw, "train") for _ in range(200))]
    with Espeak(seed=0) as espeak:
        used = {
            phoneme
            for voice in accents.values()
            for text in texts
            for phoneme in to_arpabet(espeak.phonemes(text, voice)).split()
        }
    assert used == set(PHONEMES)
    assert len(PHONEMES) == 39


def test_phonemes_are_those_of_the_accent() -> None:
    american = Voice("m1", "en-us", 50, 170)
    british = Voice("m1", "en-gb-x-rp", 50, 170)
    with Espeak(seed=0) as espeak:
        assert to_arpabet(espeak.phonemes("THE DOG DIDN'T JUMP", american)) == "DH AH D AA G D IH D N T JH AH M P"
        assert to_arpabet(espeak.phonemes("BEAR", american)) == "B EH R"
        assert to_arpabet(espeak.phonemes("BEAR", british)) == "B EH AH"


def test_an_unknown_voice_is_named() -> None:
    with Espeak(seed=0) as espeak, pytest.raises(SpeechftError, match="must have the voice 'xx\\+m1'"):
        espeak.phonemes("HELLO", Voice("m1", "xx", 50, 170))


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, second, other = (generate(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert [(split, each.text, each.phones) for split, each in first] == [
        (split, each.text, each.phones) for split, each in second
    ]
    assert [each.text for _, each in first] != [each.text for _, each in other]


def test_recordings_are_16_khz_mono_flac_of_one_to_four_seconds(tmp_path: Path) -> None:
    for _, utterance in generate(tmp_path):
        header = soundfile.info(utterance.audio)
        assert (header.format, header.subtype, header.samplerate, header.channels) == ("FLAC", "PCM_16", 16_000, 1)
        assert 0.6 < header.duration < 4.5
        assert utterance.audio.is_relative_to(tmp_path / "audio")


def test_every_split_has_every_speaker_and_train_has_the_hours(tmp_path: Path) -> None:
    found = generate(tmp_path, hours=0.03)
    speakers = {split: {each.speaker for name, each in found if name == split} for split in ("train", "dev", "test")}
    assert speakers["train"] == speakers["dev"] == speakers["test"] == {voice.variant for voice in VOICES}
    seconds = sum(soundfile.info(each.audio).duration for split, each in found if split == "train")
    assert 0.03 * 3600 <= seconds < 0.03 * 3600 + 5


def test_a_generation_that_is_broken_off_leaves_the_old_audio(tmp_path: Path) -> None:
    generate(tmp_path, seed=1)
    before = contents(tmp_path)
    unfinished = SYNTHETIC.read(CorpusRequest(tmp_path, hours=0.002, seed=2))
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]
    assert contents(tmp_path) == before


def test_somebody_elses_audio_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "mine.wav").touch()
    with pytest.raises(RequestError, match="must be absent, or made by 'synthetic' before"):
        generate(tmp_path)
    assert (tmp_path / "audio" / "mine.wav").is_file()
