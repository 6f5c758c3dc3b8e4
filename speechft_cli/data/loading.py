"""Reading the audio of planned updates ahead, in worker processes."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.batches import Piece, Planned, Source
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import SpeechftError
from speechft_cli.io.parent import end_with_parent

#: How long the end of a process takes to become known [s].
_NEWS = 5.0
#: How many files may be open: every batch that was read holds one, and a shell often allows but 1024, or 256.
_OPEN_FILES = 10_240


@dataclass(frozen=True)
class Batch:
    """Some stretches of utterances.

    Attributes:
        pieces: Which.
        waveforms: One (N_i,) each, 16 kHz, views of one tensor.
    """

    pieces: tuple[Piece, ...]
    waveforms: tuple[Tensor, ...]


def load_updates(
    sources: Sequence[Source], plan: Callable[[], Iterator[Planned]], *, workers: int, pin_memory: bool = False
) -> Generator[tuple[Planned, tuple[Batch, ...]]]:
    """Reads what `plan` plans, update by update.

    Args:
        sources: What the plan's pieces are of.
        plan: Called twice: once for what to read, once for what belongs to what was read.
        workers: Processes that read ahead; 0 reads in this process.
        pin_memory: Whether to place waveforms where a GPU can fetch them from while it computes.

    Raises:
        SpeechftError: A recording can't be read, or a process that reads has ended.
    """
    if workers:
        _allow_open_files()
    loader = DataLoader(
        _Waveforms([source.utterances for source in sources]),
        batch_sampler=_Batches(plan),  # an endless iterable of batches is enough for it
        collate_fn=_end_to_end,
        num_workers=workers,
        pin_memory=pin_memory,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_follow_the_main_process,
        generator=torch.Generator(),  # else the loader takes its seed from the global generator
    )
    read = iter(loader)
    try:
        for planned in plan():
            try:
                items = [next(read) for _ in planned.batches]
            except (EOFError, ConnectionError) as error:  # a reader was killed while it handed over a tensor
                time.sleep(_NEWS)  # torch tells of it in a moment, by an error out of wherever this process is then
                raise _lost(error) from error
            yield planned, tuple(_batch(pieces, each) for pieces, each in zip(planned.batches, items, strict=True))
    finally:
        del read  # ends the workers now: while an error's traceback holds this frame, the interpreter waits for them


def _allow_open_files() -> None:
    """Raises the limit that a shell sets to what the system allows: torch hangs where it is met."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@contextlib.contextmanager
def lost_reader_named() -> Iterator[None]:
    """Turns the end of a process that reads ahead into a message; torch tells of it wherever the main process is.

    Raises:
        SpeechftError: Such a process was killed.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise _lost(error) from error


def _lost(error: Exception) -> SpeechftError:
    return SpeechftError(
        f"finetune.workers: a process that reads audio has ended: {str(error).strip() or type(error).__name__}",
        "most often memory was short, or in a container shared memory (docker run --shm-size 8g); --resume goes on, "
        "--set finetune.workers=0 without such processes",
    )


class _Batches:
    def __init__(self, plan: Callable[[], Iterator[Planned]]) -> None:
        self._plan = plan

    def __iter__(self) -> Iterator[list[Piece]]:
        for planned in self._plan():
            yield from map(list, planned.batches)


class _Waveforms(Dataset[Tensor | SpeechftError]):
    def __init__(self, utterances: Sequence[Utterances]) -> None:
        self._utterances = utterances  # columns: mapped, and shared by all readers

    def __getitem__(self, piece: Piece) -> Tensor | SpeechftError:
        utterance = self._utterances[piece.source][piece.utterance]
        try:
            return read_waveform(
                dataclasses.replace(
                    utterance,
                    start=utterance.start + piece.start / SAMPLE_RATE,
                    duration=piece.length / SAMPLE_RATE,
                )
            )
        except SpeechftError as error:
            return error  # raised in the main process: a worker would wrap it in its own traceback


def _end_to_end(items: list[Tensor | SpeechftError]) -> tuple[Tensor, list[int]] | SpeechftError:
    """The waveforms as one tensor, with their lengths: a worker hands over one tensor faster than many."""
    waveforms = []
    for item in items:
        if isinstance(item, SpeechftError):
            return item
        waveforms.append(item)
    return torch.cat(waveforms), [len(waveform) for waveform in waveforms]


def _batch(pieces: tuple[Piece, ...], read: tuple[Tensor, list[int]] | SpeechftError) -> Batch:
    if isinstance(read, SpeechftError):
        raise read
    samples, lengths = read
    return Batch(pieces, torch.split(samples, lengths))


def _follow_the_main_process(worker: int) -> None:
    del worker
    # torch's workers ask who their parent is when they are up: one whose parent was killed before waits for ever
    end_with_parent()
    # Ctrl-C, a scheduler's SIGTERM and a closed terminal's SIGHUP reach the whole process group; the main process saves
    # and then ends the workers
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
