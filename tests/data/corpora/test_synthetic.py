import contextlib
import ctypes
import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.data.corpora import synthetic
from speechft_cli.data.corpora.synthetic import SYNTHETIC
from speechft_cli.data.corpus import CorpusRequest, Rejected
from speechft_cli.data.synthesis.chunks import CHUNK, Plan
from speechft_cli.data.synthesis.commands import DIGITS, INTENTS, KEYWORDS, OTHER_WORDS, draw_command
from speechft_cli.data.synthesis.espeak import Espeak
from speechft_cli.data.synthesis.phonemes import PHONEMES, Phone, in_arpabet
from speechft_cli.data.synthesis.recipe import CONTENTS, Recipe
from speechft_cli.data.synthesis.sentences import WORDS, draw_sentence
from speechft_cli.data.synthesis.spoken import obtain_chunk, take_up
from speechft_cli.data.synthesis.teamwork import speak
from speechft_cli.data.synthesis.voices import VOICES, Voice
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError, SpeechftError

Found = list[tuple[str, Utterance]]


def generate(
    out: Path, *, seed: int = 0, hours: float = 0.002, workers: int = 1, recipe: Recipe = Recipe(("sentences",))
) -> Found:
    request = CorpusRequest(out, hours=hours, seed=seed, workers=workers, recipe=recipe)
    return [each for each in SYNTHETIC.read(request) if not isinstance(each, Rejected)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def phonemes_of(text: str, voice: Voice, espeak: Espeak) -> str:
    """What espeak-ng says that it would say, without saying it: in ARPAbet."""
    espeak._choose(voice)
    look_up = espeak._library.espeak_TextToPhonemes
    look_up.restype = ctypes.c_char_p
    buffer = ctypes.create_string_buffer(text.encode())
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    clauses = []
    while rest.value:  # each call takes one clause and moves the pointer behind it
        clauses.append(look_up(ctypes.byref(rest), 1, ord("_") << 8 | 2).decode())  # UTF-8; IPA, separated by _
    symbols = " ".join(clauses).replace("_", " ").split()
    return " ".join(phone.name for phone in in_arpabet(Phone(symbol, 0.0, 1.0) for symbol in symbols))


def facts(found: Found) -> list[tuple[object, ...]]:
    return [(split, each.id, each.text, each.phones, each.speaker, each.labels) for split, each in found]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """All kinds of utterances, as much as a contract needs."""
    return generate(tmp_path_factory.mktemp("synthetic"), hours=0.03, recipe=Recipe())


def test_any_two_of_the_speakers_differ_more_than_a_speaker_from_itself() -> None:
    def spectrum(samples: np.ndarray) -> np.ndarray:
        frames = samples[: len(samples) // 512 * 512].reshape(-1, 512) * np.hanning(512)
        return np.log(np.abs(np.fft.rfft(frames))[:, 1:100] + 1).mean(axis=0)

    def speak() -> list[np.ndarray]:
        sentence = "THE QUICK DOG WATCHED THE QUIET HARBOUR"
        return [spectrum(espeak.speak(sentence, voice, rate=voice.rate, pitch=voice.pitch).samples) for voice in VOICES]

    with Espeak(seed=0) as espeak:
        first, second = speak(), speak()
    assert len(VOICES) == len({voice.name for voice in VOICES}) == 120
    assert len({voice.variant for voice in VOICES[:40]}) == 40
    for one, other in itertools.permutations(range(len(VOICES)), 2):
        assert np.linalg.norm(first[one] - first[other]) > np.linalg.norm(first[one] - second[one])


def test_every_word_has_phonemes_of_the_inventory_in_every_accent() -> None:
    accents = {voice.accent: voice for voice in VOICES}
    draw = random.Random(0)
    texts = [*WORDS, *(f"{word}'S" for word in WORDS[::7]), *(draw_sentence(draw, "train") for _ in range(50))]
    texts += [*KEYWORDS, *OTHER_WORDS, *DIGITS, *(draw_command(draw, intent).text for intent in INTENTS * 4)]
    with Espeak(seed=0) as espeak:
        used = {
            phoneme
            for voice in accents.values()
            for text in texts
            for phoneme in phonemes_of(text, voice, espeak).split()
        }
    assert used == set(PHONEMES)
    assert (len(PHONEMES), len(accents)) == (39, 7)


def test_phonemes_are_those_of_the_accent() -> None:
    american = Voice("m1", "en-us", 50, 170)
    british = Voice("m1", "en-gb-x-rp", 50, 170)
    with Espeak(seed=0) as espeak:
        assert phonemes_of("THE DOG DIDN'T JUMP", american, espeak) == "DH AH D AA G D IH D N T JH AH M P"
        assert phonemes_of("BEAR", american, espeak) == "B EH R"
        assert phonemes_of("BEAR", british, espeak) == "B EH AH"


def test_an_unknown_voice_is_named() -> None:
    with Espeak(seed=0) as espeak, pytest.raises(SpeechftError, match="must have the voice 'xx\\+m1'"):
        espeak.speak("HELLO", Voice("m1", "xx", 50, 170), rate=170, pitch=50)


def test_phonemes_as_spoken_are_those_of_the_text_and_follow_each_other_in_time(tmp_path: Path) -> None:
    found = generate(tmp_path, hours=0.006)
    with Espeak(seed=1) as espeak:
        for _, each in found:
            voice = next(voice for voice in VOICES if voice.name == each.speaker)
            assert each.phones == phonemes_of(each.text or "", voice, espeak)
            times = [tuple(map(float, item.split("-"))) for item in each.labels["phone_times"].split()]
            assert len(times) == len((each.phones or "").split())
            assert all(start < end for start, end in times)
            assert all(end <= start + 0.001 for (_, end), (start, _) in itertools.pairwise(times))
            assert 0 < times[0][0] < times[-1][1] <= soundfile.info(each.audio).duration


def test_a_phoneme_is_where_its_time_says(tmp_path: Path) -> None:
    for _, each in generate(tmp_path, hours=0.004):
        samples, rate = soundfile.read(each.audio)
        times = [tuple(map(float, item.split("-"))) for item in each.labels["phone_times"].split()]
        power = {"vowel": [], "before": []}
        for phone, (start, end) in zip((each.phones or "").split(), times, strict=True):
            if phone in ("AA", "AE", "AO", "AY", "EY", "OW"):
                power["vowel"].append(np.mean(samples[round(start * rate) : round(end * rate)] ** 2))
        silence = np.mean(samples[: round(times[0][0] * rate)] ** 2)
        assert all(loud > 100 * silence + 1e-5 for loud in power["vowel"])


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, second, other = (generate(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert contents(tmp_path / "a" / "audio") == contents(tmp_path / "b" / "audio")
    assert facts(first) == facts(second)
    assert [each.text for _, each in first] != [each.text for _, each in other]


def test_several_workers_give_the_bytes_of_one(tmp_path: Path) -> None:
    def spoken(folder: Path, workers: int) -> Found:
        folder.mkdir()
        plan = Plan(5, Recipe(("keywords", "digits"), snr=20), VOICES[:20], folder / "speech", folder / "records")
        take_up(plan, folder / "audio")
        with contextlib.closing(speak(plan, "train", workers=workers)) as utterances:
            return [("train", each) for each, _ in itertools.islice(utterances, CHUNK + 10)]

    alone, together = spoken(tmp_path / "a", 1), spoken(tmp_path / "b", 2)
    assert facts(alone) == facts(together)
    for (_, one), (_, other) in zip(alone, together, strict=True):
        assert one.audio.read_bytes() == other.audio.read_bytes()


def test_what_workers_spoke_in_excess_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_UTTERANCE_SECONDS", 0.0)  # always worth it
    found = generate(tmp_path, recipe=Recipe(("digits",)), workers=2)
    assert {each.audio for _, each in found} == set(tmp_path.rglob("*.flac"))


def test_recordings_are_16_khz_mono_flac_of_one_to_four_seconds(tmp_path: Path) -> None:
    for _, utterance in generate(tmp_path):
        header = soundfile.info(utterance.audio)
        assert (header.format, header.subtype, header.samplerate, header.channels) == ("FLAC", "PCM_16", 16_000, 1)
        assert 0.6 < header.duration < 4.7
        assert utterance.audio.is_relative_to(tmp_path / "audio")


def test_sentences_have_every_speaker_in_every_split_and_train_has_the_hours(everything: Found) -> None:
    sentences = [(split, each) for split, each in everything if each.id.endswith("sentences")]
    speakers = {
        split: {each.speaker for name, each in sentences if name == split} for split in ("train", "dev", "test")
    }
    assert speakers["train"] == {voice.name for voice in VOICES[: len(speakers["train"])]}
    assert len(speakers["train"]) > 30
    assert speakers["dev"] <= speakers["train"]
    texts = {split: {each.text for name, each in sentences if name == split} for split in speakers}
    assert texts["train"].isdisjoint(texts["dev"] | texts["test"])
    seconds = sum(soundfile.info(each.audio).duration for split, each in everything if split == "train")
    assert 0.03 * 3600 <= seconds < 0.03 * 3600 + 5


def test_words_and_commands_share_no_speaker_between_splits(everything: Found) -> None:
    speakers: dict[str, set[str]] = {"train": set(), "dev": set(), "test": set()}
    for split, each in everything:
        if not each.id.endswith("sentences") and each.speaker:
            speakers[split].add(each.speaker)
    assert all(speakers.values())
    for one, other in itertools.combinations(speakers.values(), 2):
        assert one.isdisjoint(other)


def test_there_is_something_for_every_task(everything: Found) -> None:
    train = [each.labels for split, each in everything if split == "train"]
    keywords = Counter(labels["keyword"] for labels in train if "keyword" in labels)
    assert set(keywords) == {*(word.lower() for word in KEYWORDS), "_unknown_", "_silence_"}
    assert len({labels["digit"] for labels in train if "digit" in labels}) >= 6
    assert len({(labels["action"], labels["object"]) for labels in train if "action" in labels}) >= 9
    assert {kind: sum(each.id.endswith(kind) for _, each in everything) > 0 for kind in CONTENTS} == dict.fromkeys(
        CONTENTS, True
    )


def test_silence_is_nobodys_and_quiet(everything: Found) -> None:
    (first, *_) = [each for _, each in everything if each.labels.get("keyword") == "_silence_"]
    samples, _ = soundfile.read(first.audio, dtype="int16")
    assert (first.speaker, first.text, first.phones, len(samples)) == (None, None, None, 16_000)
    assert 1 < np.sqrt(np.mean(samples.astype(float) ** 2)) < 100


def test_a_large_corpus_has_more_speakers_and_a_number_may_be_asked_for(tmp_path: Path) -> None:
    large = SYNTHETIC.read(CorpusRequest(tmp_path, hours=10, recipe=Recipe(("digits",))))
    with contextlib.closing(large) as found:  # type: ignore[type-var]
        assert len({each[1].speaker for each in itertools.islice(found, 110)}) > 80  # of 96, train's share of 120
    few = generate(tmp_path / "few", hours=0.01, recipe=Recipe(("sentences",), speakers=10))
    assert len({each.speaker for _, each in few}) == 10


def test_noise_and_a_room_change_the_sound_and_nothing_else(tmp_path: Path) -> None:
    clean = generate(tmp_path / "a")
    noisy = generate(tmp_path / "b", recipe=Recipe(("sentences",), snr=10))
    roomy = generate(tmp_path / "c", recipe=Recipe(("sentences",), reverberation=0.3))
    assert facts(clean) == facts(noisy) == facts(roomy)
    for (_, one), (_, other) in zip(clean, noisy, strict=True):
        speech, mixture = (soundfile.read(each.audio)[0] for each in (one, other))
        snr = 10 * np.log10(np.mean(speech**2) / np.mean((mixture - speech) ** 2))
        assert snr == pytest.approx(10, abs=0.3)
    for (_, one), (_, other) in zip(clean, roomy, strict=True):
        dry, wet = (soundfile.read(each.audio)[0] for each in (one, other))
        assert np.mean(wet**2) == pytest.approx(np.mean(dry**2), rel=0.05)
        quiet = np.abs(dry[-1600:]) < 1e-3  # the room goes on where the speaker stops
        assert np.mean(wet[-1600:][quiet] ** 2) > 10 * np.mean(dry[-1600:][quiet] ** 2)


def test_a_generation_that_is_broken_off_leaves_the_old_audio(tmp_path: Path) -> None:
    generate(tmp_path, seed=1)
    before = contents(tmp_path / "audio")
    unfinished = SYNTHETIC.read(CorpusRequest(tmp_path, hours=0.002, seed=2))
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]
    assert contents(tmp_path / "audio") == before


def test_what_was_spoken_is_taken_up_if_it_is_of_the_same_plan_and_whole(tmp_path: Path) -> None:
    recipe = Recipe(("digits",))
    plan = Plan(1, recipe, VOICES[:10], tmp_path / "speech", tmp_path / "spoken")
    take_up(plan, tmp_path / "audio")
    first = list(obtain_chunk(plan, "train", 0))
    paths = [each.audio for each, _ in first]
    times = [path.stat().st_mtime_ns for path in paths]
    take_up(plan, tmp_path / "audio")
    assert list(obtain_chunk(plan, "train", 0)) == first
    assert [path.stat().st_mtime_ns for path in paths] == times
    whole = paths[3].read_bytes()
    paths[3].write_bytes(whole[:-1])
    assert list(obtain_chunk(plan, "train", 0)) == first
    assert paths[3].read_bytes() == whole
    take_up(replace(plan, seed=2), tmp_path / "audio")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".flac", ".json")]


def test_somebody_elses_audio_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "mine.wav").touch()
    with pytest.raises(RequestError, match="must be absent, or made by 'synthetic' before"):
        generate(tmp_path)
    assert (tmp_path / "audio" / "mine.wav").is_file()
