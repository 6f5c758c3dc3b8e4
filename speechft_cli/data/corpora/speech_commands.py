"""Speech Commands v0.01 and v0.02: `<word>/<speaker>_nohash_<n>.wav`, with SUPERB's twelve classes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import soundfile

from speechft_cli.data.archives import Archive
from speechft_cli.data.corpora.layout import choose_parts, folders, missing, read_lines, recordings, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import SPLITS, Utterance

_PAGE = "https://arxiv.org/abs/1804.03209"
_DOWNLOADS = "https://storage.googleapis.com/download.tensorflow.org/data"
_ARCHIVES = (
    Archive(
        f"{_DOWNLOADS}/speech_commands_v0.01.tar.gz",
        "speech_commands_v0.01",
        sha256="743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",  # torchaudio's
    ),
    Archive(f"{_DOWNLOADS}/speech_commands_test_set_v0.01.tar.gz", "speech_commands_test_set_v0.01"),
)
_VERSIONS = ("v0.01", "v0.02")
_NEW_WORD = "backward"  # the second version has it, the first has not
_NOISE = "_background_noise_"
_KEYWORDS = frozenset(["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"])
UNKNOWN, SILENCE = "_unknown_", "_silence_"
_HASH_RANGE = 2**27  # of the rule in the corpus's README
_BY_BUCKET = {"dev": range(0, 10), "test": range(10, 20)}


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads ten words, `_unknown_` for the other words, and `_silence_`: one-second stretches of the noise recordings.

    Dev and test are those of the official lists, or, where these are missing, of the rule behind them. With
    the official test set of its version beside the corpus (`speech_commands_test_set_v0.01`) test is that one instead.
    The noise is divided in time, 80/10/10, so that no second of it is in two splits; only its headers are opened.
    """
    folder = top_folder(request.root, *(f"speech_commands_{version}" for version in _VERSIONS))
    words = [word for word in folders(folder) if word.name not in (_NOISE, UNKNOWN, SILENCE) and recordings(word)]
    if not _KEYWORDS & {word.name for word in words}:
        raise missing(folder, "yes", _PAGE)
    official = _test_set(folder)
    wanted = {part: split for split, part in choose_parts(folder, SPLITS, splits=request.splits)}
    listed = _read_lists(folder)
    for word in words:
        for audio in recordings(word).values():
            part = listed.get(f"{word.name}/{audio.name}", "train") if listed else _part_by_hash(audio)
            if part in wanted and not (part == "test" and official):
                yield wanted[part], _utterance(audio, word.name, f"{word.name}-{audio.stem}")
    for noise in recordings(folder / _NOISE).values():
        yield from _cut_noise(noise, {part: wanted[part] for part in wanted if not (part == "test" and official)})
    if official and "test" in wanted:
        for word in folders(official):
            for audio in recordings(word).values():
                yield wanted["test"], _utterance(audio, word.name, f"test-{word.name}-{audio.stem}")


SPEECH_COMMANDS = Corpus(read, language="en", licence="CC BY 4.0", page=_PAGE, archives=_ARCHIVES)


def _test_set(folder: Path) -> Path | None:
    version = _VERSIONS[(folder / _NEW_WORD).is_dir()]
    places = (place / f"speech_commands_test_set_{version}" for place in (folder, folder.parent))
    return next((place for place in places if place.is_dir()), None)


def _read_lists(folder: Path) -> dict[str, str]:
    """Returns `word/file` → part, nothing unless both lists are there."""
    lists = {part: folder / f"{name}_list.txt" for part, name in (("dev", "validation"), ("test", "testing"))}
    if not all(path.is_file() for path in lists.values()):
        return {}
    return {line.strip().replace("\\", "/"): part for part, path in lists.items() for line in read_lines(path)}


def _part_by_hash(audio: Path) -> str:
    """Returns the part of a recording by the rule in the corpus's README: all of a speaker's go the same way."""
    digest = int(hashlib.sha1(_speaker(audio).encode()).hexdigest(), 16)
    percent = digest % _HASH_RANGE * 100 / (_HASH_RANGE - 1)
    return next((part for part, bucket in _BY_BUCKET.items() if bucket.start <= percent < bucket.stop), "train")


def _speaker(audio: Path) -> str:
    return audio.stem.partition("_nohash_")[0]


def _utterance(audio: Path, word: str, name: str) -> Utterance:
    if word == SILENCE:
        return Utterance(name, audio, labels={"keyword": SILENCE})
    labels = {"keyword": word if word in _KEYWORDS else UNKNOWN}
    if word == UNKNOWN:
        return Utterance(name, audio, labels=labels)
    return Utterance(name, audio, text=word, speaker=_speaker(audio), labels={**labels, "word": word})


def _cut_noise(noise: Path, wanted: dict[str, str]) -> Iterator[Found]:
    try:
        header = soundfile.info(noise)
    except (soundfile.LibsndfileError, OSError) as error:
        yield Rejected(f"{SILENCE}-{noise.stem}", noise, "train", "can't be decoded", str(error))
        return
    seconds = int(header.frames / header.samplerate)
    held_out = seconds // 10
    lengths = {"train": seconds - 2 * held_out, "dev": held_out, "test": held_out}
    parts = itertools.chain.from_iterable([part] * count for part, count in lengths.items())
    for second, part in enumerate(parts):
        if part in wanted:
            name = f"{SILENCE}-{noise.stem}-{second:03d}"
            yield wanted[part], Utterance(name, noise, start=second, duration=1.0, labels={"keyword": SILENCE})
