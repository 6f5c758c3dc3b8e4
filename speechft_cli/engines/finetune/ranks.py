"""Starting the processes of one run on this machine, and hearing what they have to say."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch

from speechft_cli.errors import InterruptedRunError, SpeechftError
from speechft_cli.events import Report, Result
from speechft_cli.io.parent import end_with_parent
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.ranks import LostRankError

#: How long the other processes may take to end after one has failed [s]; they may be waiting for it.
_GRACE = 10.0


def run_on_ranks(run: Callable[[Report], Result], count: int, report: Report) -> Result:
    """Runs `run` in `count` processes that train together, and returns what the first one returns.

    Args:
        run: Can be pickled; finds out by the environment which of the processes it is in.
        count: Number of processes.
        report: Told what the first process reports.

    Raises:
        SpeechftError: What a process raised, or that one ended without a word or can't be started.
    """
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(count)}
    processes: list[SpawnProcess] = []
    ears: list[Connection] = []
    with Interruptible() as interruptible:
        try:
            for rank in range(count):
                process, ear = _start(run, {**address, "RANK": str(rank), "LOCAL_RANK": str(rank)})
                processes.append(process)
                ears.append(ear)
            return _listen(processes, ears, report, interruptible)
        finally:
            for process in processes:
                process.kill()  # those that have ended don't notice
                process.join()


def _start(run: Callable[[Report], Result], environment: dict[str, str]) -> tuple[SpawnProcess, Connection]:
    """Starts a process that Ctrl-C does not reach; returns it and the end of a pipe on which it is heard."""
    context = multiprocessing.get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    name = f"rank {environment['RANK']}"
    process = context.Process(target=_rank, args=(run, environment, mouth), name=name)
    resource_tracker.ensure_running()  # which would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what a child inherits
    try:
        process.start()
    except OSError as error:
        raise SpeechftError(
            f"{name}: can't be started: {error.strerror}",
            "lower finetune.gpus, or raise the limit of processes: ulimit -u",
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        mouth.close()
    return process, ear


def _listen(
    processes: Sequence[SpawnProcess], ears: Sequence[Connection], report: Report, interruptible: Interruptible
) -> Result:
    """Passes on what the processes say until they have ended."""
    result: Result | None = None
    errors: list[SpeechftError] = []
    living = dict(enumerate(zip(processes, ears, strict=True)))
    is_told = False
    deadline = math.inf
    while living:
        if interruptible.received is not None and not is_told:
            is_told = True
            for process, _ in living.values():
                process.terminate()  # whichever signal came: this one ends a process quietly that has no handler yet
        for rank, said in _heard(living):
            if said is None:
                process, _ = living.pop(rank)
                process.join(_GRACE)
                if process.exitcode:
                    errors.append(_died(rank, process.exitcode, interruptible.received))
            elif isinstance(said, SpeechftError):
                errors.append(said)
            elif isinstance(said, Result):
                result = said if rank == 0 else result
            else:
                report(said)  # type: ignore[arg-type]  # what a Report was called with
        if errors:
            deadline = min(deadline, time.monotonic() + _GRACE)
        if time.monotonic() > deadline:
            break  # the rest may wait for the one that failed
    if errors:
        # the first error is the cause of others
        error = min(errors, key=lambda each: isinstance(each, LostRankError))
        if interruptible.received is not None and isinstance(error, InterruptedRunError):
            error.exit_code = 128 + interruptible.received
        raise error
    if result is None:
        raise _died(0, processes[0].exitcode, interruptible.received)
    return result


def _heard(living: Mapping[int, tuple[SpawnProcess, Connection]]) -> Iterator[tuple[int, object]]:
    """What each process says next; None from one that has ended."""
    ready = wait([ear for _, ear in living.values()], timeout=0.2)
    for rank, (process, ear) in list(living.items()):
        if ear in ready or not process.is_alive():
            try:
                # the readers of audio of a process that was killed keep its end of the pipe open for seconds
                yield rank, ear.recv() if ear.poll() else None
            except EOFError:
                yield rank, None


def _died(rank: int, exit_code: int | None, received: signal.Signals | None) -> SpeechftError:
    if received is not None:  # it came before there was anything to save
        return InterruptedRunError(
            "interrupted before the first update of this start",
            "the same command begins again, with --resume where the run folder is there already",
            exit_code=128 + received,
        )
    why = "-9 is often the kernel's, for lack of memory" if exit_code == -signal.SIGKILL else "what it wrote is above"
    return SpeechftError(
        f"rank {rank}: the process ended with exit code {exit_code}",
        f"{why}; --resume goes on from the last checkpoint",
    )


def _rank(run: Callable[[Report], Result], environment: dict[str, str], mouth: Connection) -> None:
    """One of the processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which passes it on, once
    os.setpgrp()
    os.environ.update(environment)
    end_with_parent()
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, torch.get_num_threads() // int(environment["WORLD_SIZE"])))
    try:
        said: object = run(mouth.send)
    except SpeechftError as error:
        said = error
    with contextlib.suppress(OSError):
        mouth.send(said)


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
        return port
