"""Does the largest batch fit?: asked before the first update, while the encoder is frozen and while it trains.

What torch.compile lacks on a machine is met here too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.batches import Piece
from speechft_cli.data.loading import Batch
from speechft_cli.data.utterance import Seconds
from speechft_cli.encoders.memory import is_lack_of_memory
from speechft_cli.errors import SpeechftError, amount
from speechft_cli.training.job import Job
from speechft_cli.training.objective import batch_loss
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.state import TrainingState


def preflight(state: TrainingState, jobs: Sequence[Job], schedule: StableSchedule, *, batch_seconds: Seconds) -> None:
    """Computes the gradients of each job's largest batch, of silence, once per phase; nothing is changed by it.

    Args:
        state: Before the first update, or resumed.
        jobs: What will be trained.
        schedule: Which phases there will be.
        batch_seconds: Most audio per batch, padding included [s].

    Raises:
        SpeechftError: A batch does not fit into memory; the message names the setting to lower. Or torch can't compile.
    """
    for job in jobs:
        pieces = job.largest_batch(batch_seconds)
        for is_frozen in schedule.phases(state.step):
            state.set_modes(is_frozen=is_frozen, frozen_dropout=True)
            with (
                _compiler_named(),
                out_of_memory_named(job, pieces, is_frozen=is_frozen, batch_seconds=batch_seconds),
            ):
                silence = Batch(pieces, tuple(torch.zeros(piece.length) for piece in pieces))
                batch_loss(state, job, silence, is_frozen=is_frozen).backward()  # type: ignore[no-untyped-call]
            state.optimizer.zero_grad(set_to_none=True)


@contextlib.contextmanager
def out_of_memory_named(
    job: Job, pieces: Sequence[Piece], *, is_frozen: bool, batch_seconds: Seconds
) -> Iterator[None]:
    """Turns a device's or machine's lack of memory into a message that names the setting to lower.

    Raises:
        SpeechftError: There was not enough memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        seconds = max(piece.length for piece in pieces) / SAMPLE_RATE
        phase = "frozen" if is_frozen else "trained"
        if len(pieces) > 1:
            lower = f"lower finetune.batch_seconds: --set finetune.batch_seconds={batch_seconds / 2:g}"
        elif job.crop_seconds is not None:
            lower = f"lower finetune.crop_seconds: --set finetune.crop_seconds={seconds / 2:g}"
        else:
            lower = f"lower finetune.max_seconds: --set finetune.max_seconds={seconds / 2:g}"
        raise SpeechftError(
            f"{job.task.name}: there is too little memory for {amount(len(pieces), 'utterances')} of up to "
            f"{seconds:.1f} s while the encoder is {phase}",
            f"{lower}; finetune.gradient_checkpointing=true and finetune.precision=bf16 save memory too, and "
            "finetune.batches_per_update makes up for small batches",
        ) from error


@contextlib.contextmanager
def _compiler_named() -> Iterator[None]:
    """Turns torch.compile's errors into a message: most often a machine has no compiler for what torch generates."""
    try:
        yield
    except RuntimeError as error:
        from torch._dynamo.exc import TorchDynamoException  # whose import takes a second

        if not isinstance(error, TorchDynamoException):
            raise
        raise SpeechftError(
            f"finetune.compile: torch can't compile here: {str(error).splitlines()[0]}",
            "on a CPU it takes g++, on a GPU gcc and Triton; --set finetune.compile=false goes without",
        ) from error
