"""What `extract` hears: a manifest folder, a folder of recordings, or one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechft_cli.data.corpora.layout import SUFFIXES, entries
from speechft_cli.data.inspection import Limits, Task, inspect
from speechft_cli.data.items import as_item
from speechft_cli.data.manifests import available_splits, read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.verdicts import Bad, Good, pack, unpack_verdicts
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report

_SHOWN = 5


def read_audio(path: Path, splits: Sequence[str], report: Report) -> list[Utterance]:
    """Returns the utterances to encode.

    Args:
        path: A folder of manifests, a folder with recordings anywhere below it, or one recording.
        splits: Splits of the manifests; all of them when empty.
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
        return [each for split in (splits or there) for each in read_manifest(path, split)]
    if splits:
        raise RequestError(f"--split: must go with a folder of manifests, but {path} has none", "leave it out")
    if not path.exists():
        raise RequestError(
            f"{path}: must be a folder of manifests or recordings, or a recording, but is not there", "check the path"
        )
    files = [path] if path.is_file() else _recordings(path)
    home = path.parent if path.is_file() else path
    named = [Utterance(file.relative_to(home).with_suffix("").as_posix(), file) for file in files]
    task = Task(pack([as_item(("", each)) for each in named]), Limits(0.0, float("inf")))
    verdicts = unpack_verdicts(inspect(task).verdicts or b"")
    rejected = [each for each in verdicts if isinstance(each, Bad)]
    for each in rejected[:_SHOWN]:
        report(Note(f"{each.audio}: is left out: {each.reason} {each.detail}".rstrip(), important=True))
    if len(rejected) > _SHOWN:
        report(Note(f"{len(rejected) - _SHOWN} more recordings are left out", important=True))
    utterances = [
        replace(each, duration=verdict.row.duration, sample_rate=verdict.row.sample_rate)
        for each, verdict in zip(named, verdicts, strict=True)
        if isinstance(verdict, Good)
    ]
    if not utterances:
        raise RequestError(
            f"{path}: must hold manifests or recordings ({', '.join(sorted(SUFFIXES))}), has none to use",
            "check the path",
        )
    twice = len(utterances) - len({each.id for each in utterances})
    if twice:
        raise RequestError(
            f"{path}: must have recordings of different names, {twice} differ only in their suffix",
            "rename some, or give one format's folder",
        )
    return utterances


def _recordings(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in entries(folder, is_deep=True) if each.suffix.lower() in SUFFIXES)
    except OSError as error:
        raise RequestError(
            f"{error.filename or folder}: can't be read: {error.strerror or error}", "make it readable, or take it out"
        ) from error
