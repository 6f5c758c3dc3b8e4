"""Splits as lhotse Shar archives: cuts and their audio in large files, for object stores and many machines.

Every cut also says where in its archive its recording lies, so that any utterance can be read at once; archives that
lhotse wrote are looked through for that.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import orjson
import soundfile

from speechft_cli.data.columns import Row
from speechft_cli.data.headers import close_recording, decoder_says, open_audio, open_recording
from speechft_cli.data.manifests.blocks import Sums, add_up, good_rows
from speechft_cli.data.manifests.cuts import parse_cut
from speechft_cli.data.manifests.index import IndexWriter, open_spools
from speechft_cli.errors import SpeechftError

_EXACT = {"PCM_S8": "PCM_16", "PCM_U8": "PCM_16", "PCM_16": "PCM_16"}  # what FLAC keeps in 16 bits; the rest gets 24


def shard_folder(folder: Path, split: str) -> Path:
    """Returns where the Shar archives of `split` lie in `folder`."""
    return folder / f"shar-{split}"


def write_shards(
    pieces: Iterable[tuple[str, bytes]], folder: Path, *, per_shard: int, kept: Path
) -> Iterator[tuple[str, Sums]]:
    """Writes archives and yields what was written.

    A recording that is one utterance is copied as it is; a stretch becomes a FLAC file of its own.

    Args:
        pieces: Split and verdicts of good utterances, in the order of their ids, with absolute paths.
        folder: The manifest folder.
        per_shard: Utterances per archive.
        kept: Where finished archives are kept under the hash of what went into them, on the same disk: those that an
            interrupted run has left there are not written again.
    """
    with contextlib.ExitStack() as stack:
        writers: dict[str, Callable[[Row], None]] = {}
        for split, verdicts in pieces:
            if split not in writers:
                writers[split] = stack.enter_context(_shard_writer(folder, split, per_shard=per_shard, kept=kept))
            rows = good_rows(verdicts)
            for row in rows:
                writers[split](row)
            yield split, add_up(rows)


@contextlib.contextmanager
def _shard_writer(folder: Path, split: str, *, per_shard: int, kept: Path) -> Iterator[Callable[[Row], None]]:
    """Gives a function that adds a row and its audio to the archives of a split."""
    place = shard_folder(folder, split)
    place.mkdir()
    kept.mkdir(exist_ok=True)
    with open_spools(folder) as spools:
        index = IndexWriter(spools)
        rows: list[Row] = []
        count = 0

        def write() -> None:
            nonlocal count
            _write_shard(rows, place, f"{count:06d}", index, kept)
            count += 1
            rows.clear()

        def add(row: Row) -> None:
            rows.append(row)
            if len(rows) == per_shard:
                write()

        yield add
        if rows:
            write()
        index.write(folder, split, sorted(place.glob("cuts.*")))


def _write_shard(rows: Sequence[Row], place: Path, number: str, index: IndexWriter, kept: Path) -> None:
    """Writes an archive and its cuts, or takes those that are kept."""
    cuts, archive = place / f"cuts.{number}.jsonl.gz", place / f"recording.{number}.tar"
    name = _hash(rows, archive)
    if (kept / f"{name}.jsonl.gz").is_file():  # the last of the two that is linked
        os.link(kept / f"{name}.tar", archive)
        os.link(kept / f"{name}.jsonl.gz", cuts)
        with gzip.open(cuts) as lines:
            for line in lines:
                index.add(parse_cut(line))
        return
    with _packed(cuts) as packed, tarfile.open(archive, "w") as recordings:
        for row in rows:
            packed.write(index.add(_store(row, recordings)))
    with contextlib.suppress(OSError):  # not every disk has hard links: then nothing is kept
        for path, suffix in ((archive, "tar"), (cuts, "jsonl.gz")):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            (kept / f"{name}.{suffix}").unlink(missing_ok=True)  # of a run that was interrupted between the two
            os.link(path, kept / f"{name}.{suffix}")


def _hash(rows: Sequence[Row], archive: Path) -> str:
    """Names an archive by what goes into it: its place, its utterances, and the state of their recordings."""
    digest = hashlib.sha256(f"{archive.parent.name}/{archive.name}".encode())
    for row in rows:
        with contextlib.suppress(OSError):  # reading it says what is wrong
            state = Path(row.audio).stat()
            digest.update(orjson.dumps([row, state.st_size, state.st_mtime_ns], default=tuple))
    return digest.hexdigest()


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
        said = decoder_says(error)
        raise SpeechftError(f"{row.audio}: can't be read as audio: {said}", "speechft prepare --decode") from error
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
