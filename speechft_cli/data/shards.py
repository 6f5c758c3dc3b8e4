"""Splits as lhotse Shar archives: cuts and their audio in large files, for object stores and many machines.

Every cut also says where in its archive its recording lies, so that any utterance can be read at once; archives that
lhotse wrote are looked through for that.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import orjson
import soundfile

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import close_recording, open_audio, open_recording
from speechft_cli.data.index import IndexWriter, open_spools
from speechft_cli.errors import SpeechftError

_EXACT = {"PCM_S8": "PCM_16", "PCM_U8": "PCM_16", "PCM_16": "PCM_16"}  # what FLAC keeps in 16 bits; the rest gets 24


def shard_folder(folder: Path, split: str) -> Path:
    """Returns where the Shar archives of `split` lie in `folder`."""
    return folder / f"shar-{split}"


@contextlib.contextmanager
def shard_writer(folder: Path, split: str, *, per_shard: int) -> Iterator[Callable[[Row], None]]:
    """Gives a function that adds a row and its audio to the archives of a split; the caller makes the folder whole.

    A recording that is one utterance is copied as it is; a stretch becomes a FLAC file of its own.

    Args:
        folder: The manifest folder.
        split: train, dev or test.
        per_shard: Utterances per archive.
    """
    place = shard_folder(folder, split)
    place.mkdir()
    with open_spools(folder) as spools:
        index = IndexWriter(spools)
        with contextlib.ExitStack() as stack:
            yield _Shards(place, index, per_shard, stack).add
        index.write(folder, split, sorted(place.glob("cuts.*")))


class _Shards:
    """The archives of a split, one open at a time."""

    def __init__(self, place: Path, index: IndexWriter, per_shard: int, stack: contextlib.ExitStack) -> None:
        self._place = place
        self._index = index
        self._per_shard = per_shard
        self._stack = stack
        self._count = 0
        self._open: tuple[IO[bytes], tarfile.TarFile] | None = None

    def add(self, row: Row) -> None:
        """Adds an utterance."""
        if self._open is None or self._count % self._per_shard == 0:
            self._stack.close()
            number = f"{self._count // self._per_shard:06d}"
            self._open = (
                self._stack.enter_context(_packed(self._place / f"cuts.{number}.jsonl.gz")),
                self._stack.enter_context(tarfile.open(self._place / f"recording.{number}.tar", "w")),  # noqa: SIM115
            )
        self._count += 1
        cuts, archive = self._open
        line = self._index.add(_store(row, archive))
        self._index.hash(line)
        cuts.write(line)


@contextlib.contextmanager
def _packed(path: Path) -> Iterator[IO[bytes]]:
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
        yield packed  # type: ignore[misc]  # it is one in all but name


def _store(row: Row, archive: tarfile.TarFile) -> Row:
    """Puts the audio of an utterance into an archive; returns the utterance as it is there."""
    audio, suffix, channels = _audio(row)
    info = tarfile.TarInfo(f"{row.id}{suffix}")
    info.size = len(audio)
    begin = archive.offset + len(info.tobuf(archive.format, archive.encoding or "utf-8", archive.errors or "strict"))
    archive.addfile(info, io.BytesIO(audio))
    with soundfile.SoundFile(io.BytesIO(audio)) as stored:
        frames, rate = stored.frames, stored.samplerate
    recording = {
        "id": row.id,
        "sources": [{"type": "shar", "channels": list(range(channels)), "source": ""}],
        "sampling_rate": rate,
        "num_samples": frames,
        "duration": frames / rate,
        "channel_ids": list(range(channels)),
    }
    text = orjson.dumps(recording, option=orjson.OPT_APPEND_NEWLINE)
    described = tarfile.TarInfo(f"{row.id}.json")
    described.size = len(text)
    archive.addfile(described, io.BytesIO(text))
    path = Path(str(archive.name))
    return row._replace(
        start=0.0, duration=frames / rate, audio=f"{path.parent.name}/{path.name}", offset=begin, size=len(audio)
    )


def _audio(row: Row) -> tuple[bytes, str, int]:
    """Returns the bytes of an utterance's audio, its suffix and its number of channels.

    Raises:
        SpeechftError: It can't be read.
    """
    file = open_recording(row.audio, offset=row.offset, size=row.size)
    try:
        with open_audio(file) as audio:
            first, count = round(row.start * audio.samplerate), round(row.duration * audio.samplerate)
            suffix = ".wav" if audio.format in ("WAV", "WAVEX") else f".{audio.format.lower()}"
            if first == 0 and count == audio.frames:
                whole = file.getvalue() if isinstance(file, io.BytesIO) else Path(row.audio).read_bytes()
                return whole, suffix, audio.channels
            audio.seek(first)
            samples = audio.read(count, dtype="int32", always_2d=True)
            stretch = io.BytesIO()
            subtype = _EXACT.get(audio.subtype, "PCM_24")
            soundfile.write(stretch, samples, audio.samplerate, format="FLAC", subtype=subtype)
            return stretch.getvalue(), ".flac", audio.channels
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise SpeechftError(f"{row.audio}: can't be read as audio: {error}", "speechft prepare --decode") from error
    finally:
        close_recording(file)


def locate(archive: Path) -> dict[str, tuple[int, int]]:
    """Returns utterance → where in an archive its recording begins and how long it is, both in bytes.

    Raises:
        ValueError: It is no archive.
    """
    try:
        with tarfile.open(archive, "r:") as members:
            return {
                str(Path(member.name).with_suffix("")): (member.offset_data, member.size)
                for member in members
                if not member.name.endswith((".json", ".nodata", ".nometa"))
            }
    except (OSError, tarfile.TarError) as error:
        raise ValueError(f"{archive}: must be a tar archive: {error}") from error
