"""What `extract` hears: a manifest folder, a folder of recordings, or one recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.data.corpora.layout import SUFFIXES, entries
from speechft_cli.data.items import as_item
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.preparing.inspection import Limits, Task, inspect
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.verdicts import Bad, Good, pack_items, unpack_verdicts
from speechft_cli.encoders.base import Framing
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report

_SHOWN = 5


def read_audio(path: Path, splits: Sequence[str], framing: Framing, report: Report) -> list[Utterance]:
    """Returns the utterances to encode, without those that are too short for a frame.

    Args:
        path: A folder of manifests, a folder with recordings anywhere below it, or one recording.
        splits: Splits of the manifests; all of them when empty.
        framing: How the encoder makes frames.
        report: Told which recordings can't be used.

    Raises:
        RequestError: There is nothing to encode.
    """
    there = available_splits(path)
    if there:
        missing = [split for split in splits if split not in there]
        if missing:
            raise RequestError(
                f"--split: must be one of {', '.join(there)} in {path}, got {', '.join(missing)}", "default: all"
            )
        found = [each for split in (splits or there) for each in read_manifest(path, split)]
        bad: list[tuple[Path, str]] = []
    else:
        if splits:
            raise RequestError(f"--split: must go with a folder of manifests, but {path} has none", "leave it out")
        found, bad = _inspected(path)
    long: list[Utterance] = []
    for each in found:
        if framing.count(round(each.duration * SAMPLE_RATE)):
            long.append(each)
        else:
            bad.append((each.audio, f"{each.duration:g} s are too short for a frame"))
    for audio, reason in bad[:_SHOWN]:
        report(Note(f"{audio}: is left out: {reason}", important=True))
    if len(bad) > _SHOWN:
        report(Note(f"{len(bad) - _SHOWN} more recordings are left out", important=True))
    if not long:
        raise RequestError(
            f"{path}: must hold manifests or recordings ({', '.join(sorted(SUFFIXES))}), has none to use",
            "check the path",
        )
    return long


def file_states(utterances: Sequence[Utterance]) -> list[tuple[int, int] | None]:
    """Returns length [bytes] and time of change [ns] of each recording or archive; None where there is none."""
    found: list[tuple[int, int] | None] = []
    for path in dict.fromkeys(each.audio for each in utterances):
        try:
            facts = path.stat()
        except OSError:  # reading it says what is wrong
            found.append(None)
        else:
            found.append((facts.st_size, facts.st_mtime_ns))
    return found


def _inspected(path: Path) -> tuple[list[Utterance], list[tuple[Path, str]]]:
    """Returns the recordings that can be used, and the others with the reason.

    Raises:
        RequestError: There are none, or two with one name.
    """
    if not path.exists():
        raise RequestError(
            f"{path}: must be a folder of manifests or recordings, or a recording, but is not there", "check the path"
        )
    files = [path] if path.is_file() else _recordings(path)
    home = path.parent if path.is_file() else path
    named = [Utterance(file.relative_to(home).with_suffix("").as_posix(), file) for file in files]
    task = Task(pack_items([as_item(("", each)) for each in named]), Limits(0.0, float("inf")))
    verdicts = unpack_verdicts(inspect(task).verdicts or b"")
    good = [
        replace(each, duration=verdict.row.duration, sample_rate=verdict.row.sample_rate)
        for each, verdict in zip(named, verdicts, strict=True)
        if isinstance(verdict, Good)
    ]
    twice = [name for name, count in Counter(each.id for each in good).items() if count > 1]
    if twice:
        raise RequestError(
            f"{path}: must have recordings of different names, {len(twice)} differ only in their suffix, for example "
            f"{twice[0]}",
            "rename some, or give one format's folder",
        )
    bad = [(Path(each.audio), f"{each.reason} {each.detail}".rstrip()) for each in verdicts if isinstance(each, Bad)]
    return good, bad


def _recordings(folder: Path) -> list[Path]:
    try:
        found = [each for each in entries(folder, is_deep=True) if each.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise RequestError(
            f"{error.filename or folder}: can't be read: {error.strerror or error}", "make it readable, or take it out"
        ) from error
    return sorted(each for each in found if each.name[0] != ".")  # a Mac puts ._a.wav beside a.wav
