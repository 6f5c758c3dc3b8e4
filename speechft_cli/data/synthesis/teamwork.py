"""Several processes speak what one would, in the same order."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator

from speechft_cli.data.synthesis.chunks import Plan
from speechft_cli.data.synthesis.spoken import obtain_chunk
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.data.workers import in_processes
from speechft_cli.errors import SpeechftError


def speak(plan: Plan, split: str, *, workers: int) -> Generator[tuple[Utterance, Seconds]]:
    """Yields utterances and their lengths [s] without end; when it is closed, more recordings lie on the disk."""
    if workers == 1:
        for number in itertools.count():
            yield from obtain_chunk(plan, split, number)
    chunks = in_processes(functools.partial(_obtain, plan, split), itertools.count(), workers=workers)
    with contextlib.closing(chunks):
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield from chunk


def _obtain(plan: Plan, split: str, number: int) -> list[tuple[Utterance, Seconds]] | SpeechftError | OSError:
    """Returns a chunk, or what is wrong: an exception would end the process without a word to the main one."""
    try:
        return list(obtain_chunk(plan, split, number))
    except (SpeechftError, OSError) as error:
        return error
