"""Several processes speak what one would, in the same order."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import signal
from collections.abc import Generator
from multiprocessing.connection import Connection

from speechft_cli.data.synthesis.chunks import Plan
from speechft_cli.data.synthesis.spoken import obtain_chunk
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.errors import SpeechftError


def speak(plan: Plan, split: str, *, workers: int) -> Generator[tuple[Utterance, Seconds]]:
    """Yields utterances and their lengths [s], endlessly; whoever closes it has recordings in excess on the disk.

    Each worker speaks every `workers`-th chunk and waits when it is too far ahead. The workers end with this process,
    however that ends.
    """
    if workers == 1:
        for number in itertools.count():
            yield from obtain_chunk(plan, split, number)
    context = multiprocessing.get_context("forkserver")  # a fork takes threads' locks along
    context.set_forkserver_preload([__name__])
    with contextlib.ExitStack() as stack:
        team = []
        for first in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(theirs, plan, split, first, workers), daemon=True)
            process.start()
            theirs.close()  # so that the death of either side is the end of the conversation
            stack.callback(process.join)
            stack.callback(process.terminate)
            stack.callback(ours.close)
            team.append(ours)
        for each in itertools.cycle(team):
            yield from _hear(each)


def _hear(connection: Connection) -> list[tuple[Utterance, Seconds]]:
    try:
        chunk: list[tuple[Utterance, Seconds]] | Exception = connection.recv()
    except EOFError as error:
        raise SpeechftError("espeak-ng: a worker died", "try again with --workers 1") from error
    if isinstance(chunk, Exception):
        raise chunk
    return chunk


def _work(connection: Connection, plan: Plan, split: str, first: int, workers: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this one
    with contextlib.suppress(ConnectionError):
        try:
            for number in itertools.count(first, workers):
                connection.send(list(obtain_chunk(plan, split, number)))
        except (SpeechftError, OSError) as error:
            connection.send(error)
