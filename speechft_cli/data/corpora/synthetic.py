"""The synthetic corpus: sentences, keywords, digits and commands, spoken by up to 120 espeak-ng speakers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from speechft_cli.data.corpus import Corpus, CorpusRequest, Found
from speechft_cli.data.manifests.prepared import WORK
from speechft_cli.data.synthesis.chunks import CHUNK, Plan
from speechft_cli.data.synthesis.spoken import set_down, take_up
from speechft_cli.data.synthesis.teamwork import speak
from speechft_cli.data.synthesis.voices import VOICES
from speechft_cli.data.utterance import SPLITS, Seconds, Utterance
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import put_in_place, recover

_DEFAULT_HOURS = 0.1
_FEWEST_SPEAKERS = 40
_SPEAKER_SECONDS = 30.0  # of train that each speaker gets at least, from _FEWEST_SPEAKERS on [s]
_UTTERANCE_SECONDS = 2.0  # about
_NOTICE_NAME = "README.txt"
_NOTICE = "Synthetic speech (espeak-ng), made by `speechft prepare synthetic`; the next run replaces this folder.\n"


def read(request: CorpusRequest) -> Iterator[Found]:
    """Generates the corpus; the same request gives the same bytes on the same machine, with any number of workers.

    Sentences are for recognising speech, phonemes and speakers: train, dev and test have the same speakers, who take
    turns, and no sentence in common. Keywords, digits and commands are for classes of what is said: no two splits have
    a speaker in common. Dev and test are a tenth of train each. A speaker's pitch and rate vary a little from utterance
    to utterance.

    Raises:
        RequestError: `audio` in the root is somebody else's.
    """
    audio = request.root / "audio"
    if audio.exists() and not (audio / _NOTICE_NAME).is_file():
        raise RequestError(f"{audio}: must be absent, or made by 'synthetic' before", "choose another --out")
    train_seconds = (_DEFAULT_HOURS if request.hours is None else request.hours) * 3600
    recover(audio)  # a run may have been killed; the engine holds the folder's lock
    voices = VOICES[: _speaker_count(request, train_seconds)]
    work = request.root / WORK  # survives an interruption, and nothing else
    plan = Plan(request.seed, request.recipe, voices, work / "speech", work / "spoken")
    take_up(plan, audio)
    (plan.folder / _NOTICE_NAME).write_text(_NOTICE, encoding="utf-8")
    least = 1
    for split in SPLITS:
        seconds = train_seconds if split == "train" else train_seconds / 10
        spoken = 0
        for utterance in _speak(plan, split, seconds, least=least, workers=request.workers):
            spoken += 1
            yield split, replace(utterance, audio=audio / utterance.audio.relative_to(plan.folder))
        if split == "train":
            least = min(spoken, len(plan.voices))
    put_in_place(plan.folder, audio)
    set_down(plan)


SYNTHETIC = Corpus(read, needs_root=False, language="en", licence="yours to use")


def _speaker_count(request: CorpusRequest, train_seconds: Seconds) -> int:
    if request.recipe.speakers is not None:
        return request.recipe.speakers
    return min(len(VOICES), max(_FEWEST_SPEAKERS, int(train_seconds / _SPEAKER_SECONDS)))


def _speak(plan: Plan, split: str, seconds: Seconds, *, least: int, workers: int) -> Iterator[Utterance]:
    """Yields utterances until there are `seconds` of them, and `least`; removes what was spoken in excess."""
    is_worth_it = seconds > workers * CHUNK * _UTTERANCE_SECONDS
    total, count = 0.0, 0
    with contextlib.closing(speak(plan, split, workers=workers if is_worth_it else 1)) as spoken:
        for utterance, length in spoken:
            if total >= seconds and count >= least:
                break
            total, count = total + length, count + 1
            yield utterance
    for path in plan.folder.glob(f"*/{split}-*.flac"):
        if int(path.name.split("-")[1]) >= count:
            path.unlink()
            with contextlib.suppress(OSError):  # others are in it
                path.parent.rmdir()
