"""The recording of an utterance as it lies on the disk: its state, its header, a checksum, or why it can't be used."""

from __future__ import annotations

import io
import os
import stat
import unicodedata
import zlib
from pathlib import Path

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import HEAD, Header, RecordingFile, UnreadableError, open_descriptor, read_header

#: Length [bytes] and time of change [ns] of a recording, or why it is none.
State = tuple[int, int] | str
_NO_RIGHT = "no right to enter its folder"


def state_of(path: str) -> State:
    """Returns the state of a recording."""
    try:
        return _as_state(os.stat(path))  # noqa: PTH116  # no Path per file
    except FileNotFoundError:
        return "no such file"
    except PermissionError:
        return _NO_RIGHT
    except (OSError, ValueError) as error:  # a loop of links, a name too long for a file or with a NUL in it
        return str(error)


def _as_state(found: os.stat_result) -> State:
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else "not a regular file"


class LastRecording:
    """The recording looked at last: utterances of one recording follow each other.

    Attributes:
        state: Its state.
        found: Header, length [bytes] and checksum, or why there are none.
    """

    state: State
    found: tuple[Header, int, int] | UnreadableError

    def __init__(self) -> None:
        self._place: tuple[str, int, int] | None = None

    def look(self, row: Row) -> None:
        """Looks at the recording of an utterance."""
        place = (row.audio, row.offset, row.size)
        if place != self._place:
            self._place = place
            try:
                self._open(row)
            except UnreadableError as error:
                self.found = error.with_traceback(None)

    def _open(self, row: Row) -> None:
        try:
            descriptor = open_descriptor(row.audio)
        except (OSError, ValueError) as error:
            self.state = state_of(row.audio)
            raise _no_recording(self.state, row.audio) or UnreadableError("can't be opened", str(error)) from error
        try:
            # of the file that is open: another one may have the name by now; it takes half the time, too
            found = os.fstat(descriptor)
            self.state = _as_state(found)
            if (problem := _no_recording(self.state, row.audio)) is not None:
                raise problem
            file = io.BytesIO(os.pread(descriptor, row.size, row.offset)) if row.size else descriptor
            self.found = _read(file, row.size or found.st_size)
        except OSError as error:
            raise UnreadableError("can't be opened", str(error)) from error
        finally:
            os.close(descriptor)


def _no_recording(state: State, path: str) -> UnreadableError | None:
    """Returns why a file with this state is no recording."""
    if not isinstance(state, str):
        return None if state[0] else UnreadableError("file of 0 bytes")
    if state == _NO_RIGHT:
        return UnreadableError("can't be opened", state)
    if state == "no such file":
        return UnreadableError(state, _why_missing(path))
    return UnreadableError(*((state, "") if state == "not a regular file" else ("no name of a file", state)))


def _why_missing(path: str) -> str:
    if "\\" in path:
        return "its path has \\, as on Windows; here it takes /"
    if any(Path(unicodedata.normalize(form, path)).exists() for form in ("NFC", "NFD") if not path.isascii()):
        return "it is there with letters composed otherwise, as a Mac does; convmv --nfc (or --nfd) renames it"
    return ""


def _read(file: RecordingFile, length: int) -> tuple[Header, int, int]:
    if isinstance(file, int):
        head = os.pread(file, HEAD, 0)
        tail = os.pread(file, HEAD, max(HEAD, length - HEAD)) if length > HEAD else b""
    else:
        head, tail = file.getvalue()[:HEAD], file.getvalue()[HEAD:][-HEAD:]
    header = read_header(file, head, length)
    return header, length, zlib.crc32(tail, zlib.crc32(head))
