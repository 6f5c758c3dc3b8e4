"""Replacing what file descriptor 2 is, which all threads of a process share."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

#: Held while the descriptor is replaced, so that what is put back is what was there.
TURN = threading.Lock()


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Sends what C code says on stderr nowhere."""
    with TURN, open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
