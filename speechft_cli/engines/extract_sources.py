"""What `extract` hears: a manifest folder, a folder of recordings, or one recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from speechft_cli.data.corpora.layout import SUFFIXES
from speechft_cli.data.corpus import Rejected
from speechft_cli.data.inspection import inspect_utterance
from speechft_cli.data.manifests import available_splits, read_manifest
from speechft_cli.data.utterance import Utterance
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
            raise RequestError(f"--split: must be one of {', '.join(there)} in {path}, got {', '.join(missing)}")
        return [each for split in (splits or there) for each in read_manifest(path, split)]
    if splits:
        raise RequestError(f"--split: must go with a folder of manifests, but {path} has none")
    if not path.exists():
        raise RequestError(f"{path}: must be a folder of manifests or recordings, or a recording, but is not there")
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES)
    home = path.parent if path.is_file() else path
    named = [Utterance(file.relative_to(home).with_suffix("").as_posix(), file) for file in files]
    found = [inspect_utterance(each, "", min_seconds=0.0, max_seconds=float("inf")) for each in named]
    rejected = [each for each in found if isinstance(each, Rejected)]
    for each in rejected[:_SHOWN]:
        report(Note(f"{each.audio}: is left out: {each.reason} {each.detail}".rstrip(), important=True))
    if len(rejected) > _SHOWN:
        report(Note(f"{len(rejected) - _SHOWN} more recordings are left out", important=True))
    utterances = [each for each in found if isinstance(each, Utterance)]
    if not utterances:
        raise RequestError(
            f"{path}: must hold manifests or recordings ({', '.join(sorted(SUFFIXES))}), has none to use"
        )
    twice = len(utterances) - len({each.id for each in utterances})
    if twice:
        raise RequestError(f"{path}: must have recordings of different names, {twice} differ only in their suffix")
    return utterances
