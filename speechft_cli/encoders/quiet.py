"""Silence around s3prl's networks."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

#: stdout and the warnings' filters are the process's: of two threads in the block, one would get them from the other.
_ALONE = threading.RLock()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences what s3prl prints, and what its age makes torch say: weight_norm is deprecated, and the like."""
    with _ALONE, warnings.catch_warnings(), open(os.devnull, "w") as nowhere:  # noqa: PTH123
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(nowhere):
            yield
