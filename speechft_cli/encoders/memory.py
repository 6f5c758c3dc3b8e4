"""Whether it was memory that torch lacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch

from speechft_cli.errors import SpeechftError, amount

#: What it says of a CPU's memory, of which it makes errors like any other.
_SAID = ("can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device or the machine had too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


@contextlib.contextmanager
def lack_of_memory_named(batch: Mapping[str, float]) -> Iterator[None]:
    """Turns a lack of memory while some utterances are encoded into a message that names the longest.

    Args:
        batch: Id → duration [s] of each.

    Raises:
        SpeechftError: There was too little.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        longest = max(batch, key=lambda each: batch[each])
        raise SpeechftError(
            f"utterance {longest}: must fit into memory, got {amount(len(batch), 'utterances')} of up to "
            f"{batch[longest]:.1f} s",
            "divide long recordings: lists take stretches by start and end; or take a device with more memory",
        ) from error
