"""Whether it was memory that torch lacked."""

from __future__ import annotations

import torch

#: What it says of a CPU's memory, of which it makes errors like any other.
_SAID = ("can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device or the machine had too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)
