"""Which recordings look like another one: a first look at all, in little memory, so that few need a second."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 13  # looks that are compared before they go to the disk
_AT_ONCE = 1 << 17  # looks in memory while all are compared


class LookAlikes:
    """Takes the recording of each utterance and says which utterances have one that looks like that of another."""

    def __init__(self, file: IO[bytes], *, at_once: int = _AT_ONCE) -> None:
        """
        Args:
            file: An empty one, where looks go.
            at_once: How many of them may be in memory.
        """
        self._file = file
        self._at_once = at_once
        self._pairs = array("Q")
        self._is_alike = bytearray()  # at each place
        self._stored = 0
        self._last = 0

    def add(self, place: int, length: int, checksum: int) -> None:
        """Takes the next utterance.

        Args:
            place: Its place in the corpus; they come in order.
            length: Of its recording [bytes].
            checksum: Of its recording, 32 bits.
        """
        self._pairs.append((length << 32 ^ checksum) & 0xFFFFFFFFFFFFFFFF)
        self._pairs.append(place)
        self._last = place
        if len(self._pairs) == 2 * _BLOCK:
            self._store()

    def places(self) -> NDArray[np.bool_]:
        """Returns whether the utterance at each place has a recording that looks like another's, (last place + 1,)."""
        self._store()
        is_alike = np.frombuffer(self._is_alike, dtype=bool)
        parts = -(-self._stored // self._at_once)
        for part in range(parts):
            # the checksum, which the number ends with, is as good as drawn
            pairs = [block[block[:, 0] % parts == part] for block in self._blocks()]
            alike, _ = _compare(np.concatenate(pairs))
            is_alike[alike] = True
        return is_alike

    def _store(self) -> None:
        """Compares the looks in memory, and stores one of each kind."""
        pairs = np.frombuffer(self._pairs, dtype=np.uint64).reshape(-1, 2)
        alike, different = _compare(pairs)
        self._is_alike.extend(bytes(self._last + 1 - len(self._is_alike)))
        np.frombuffer(self._is_alike, dtype=bool)[alike] = True
        self._file.seek(0, 2)
        self._file.write(different.tobytes())
        self._stored += len(different)
        self._pairs = array("Q")

    def _blocks(self) -> Iterator[NDArray[np.uint64]]:
        self._file.seek(0)
        while block := self._file.read(16 * _BLOCK):
            yield np.frombuffer(block, dtype=np.uint64).reshape(-1, 2)


def _compare(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Returns the places of looks that come more than once, and the first pair of each look."""
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    is_again = np.zeros(len(pairs) + 1, dtype=bool)  # the same look as the one before
    is_again[1:-1] = pairs[1:, 0] == pairs[:-1, 0]
    return pairs[is_again[:-1] | is_again[1:], 1], pairs[~is_again[:-1]]
