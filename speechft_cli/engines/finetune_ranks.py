"""Starting the processes of one run on this machine, and hearing what they have to say."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch

from speechft_cli.errors import InterruptedRunError, SpeechftError
from speechft_cli.events import Report, Result
from speechft_cli.training.interrupt import Interruptible

#: How long the other processes may take to end after one has failed [s]; they may be waiting for it.
_GRACE = 10.0


def run_on_ranks(run: Callable[[Report], Result], count: int, report: Report) -> Result:
    """Runs `run` in `count` processes that train together, and returns what the first one returns.

    Args:
        run: Can be pickled; finds out by the environment which of the processes it is in.
        count: Number of processes.
        report: Told what the first process reports.

    Raises:
        SpeechftError: What a process raised, or that one ended without a word.
    """
    context = multiprocessing.get_context("spawn")
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(count)}
    processes: list[SpawnProcess] = []
    ears: list[Connection] = []
    with Interruptible() as interruptible:
        for rank in range(count):
            ear, mouth = context.Pipe(duplex=False)
            environment = {**address, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            process = context.Process(target=_rank, args=(run, environment, mouth), name=f"rank {rank}")
            process.start()
            mouth.close()
            processes.append(process)
            ears.append(ear)
        try:
            return _listen(processes, ears, report, interruptible)
        finally:
            for process in processes:
                process.join(_GRACE)
                if process.is_alive():
                    process.kill()
                    process.join()


def _listen(
    processes: Sequence[SpawnProcess], ears: Sequence[Connection], report: Report, interruptible: Interruptible
) -> Result:
    """Passes on what the processes say until they have ended."""
    result: Result | None = None
    errors: list[BaseException] = []
    open_ears = dict(enumerate(ears))
    is_told = False
    while open_ears:
        if interruptible.received is not None and not is_told:
            is_told = True
            for process in processes:
                if process.pid is not None and process.is_alive():
                    os.kill(process.pid, interruptible.received)
        for rank, said in _heard(open_ears):
            if said is None:
                del open_ears[rank]
                processes[rank].join(_GRACE)
                if processes[rank].exitcode and not errors:
                    errors.append(_died(rank, processes[rank].exitcode, interruptible.received))
            elif isinstance(said, BaseException):
                errors.append(said)
            elif isinstance(said, Result):
                result = said if rank == 0 else result
            else:
                report(said)  # type: ignore[arg-type]  # what a Report was called with
        if errors and not any(process.is_alive() and rank in open_ears for rank, process in enumerate(processes)):
            break
        if errors and not is_told:
            is_told = True
            for process in processes:
                threading.Timer(_GRACE, process.kill).start()  # it may wait for the one that failed
    if errors:
        raise errors[0]
    if result is None:
        raise _died(0, processes[0].exitcode, interruptible.received)
    return result


def _heard(ears: dict[int, Connection]) -> Iterator[tuple[int, object]]:
    """What each process says next; None from one that has ended."""
    ready = wait(list(ears.values()), timeout=0.2)
    for rank, ear in list(ears.items()):
        if ear in ready:
            try:
                yield rank, ear.recv()
            except EOFError:
                yield rank, None


def _died(rank: int, exit_code: int | None, received: signal.Signals | None) -> SpeechftError:
    if received is not None:  # it came before there was anything to save
        return InterruptedRunError(
            "interrupted before the first update of this start", "run the same command again", exit_code=128 + received
        )
    return SpeechftError(
        f"rank {rank}: the process ended with exit code {exit_code} and said nothing",
        "exit code -9 is often the kernel's, for lack of memory; --resume goes on from the last checkpoint",
    )


def _rank(run: Callable[[Report], Result], environment: dict[str, str], mouth: Connection) -> None:
    """One of the processes."""
    os.setpgrp()  # Ctrl-C reaches the parent, which passes it on, once
    os.environ.update(environment)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, torch.get_num_threads() // int(environment["WORLD_SIZE"])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        said: object = run(mouth.send)
    except SpeechftError as error:
        said = error
    with contextlib.suppress(OSError):
        mouth.send(said)


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port
