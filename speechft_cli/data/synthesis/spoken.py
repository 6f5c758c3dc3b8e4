"""What an interrupted generation has spoken: its whole chunks are not spoken again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.synthesis.chunks import Plan, speak_chunk
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.data.utterances import row_of, utterance_of

_IDENTITY = "identity"  # file: whose chunks these are
_MOVED = "moved"  # file: all was spoken, and moved to where it belongs
_PACKAGES = ("speechft", "espeakng-loader", "soundfile", "scipy", "numpy")


def take_up(plan: Plan, audio: Path) -> None:
    """Lets the plan's folder hold what an interrupted run of the same plan has spoken, and nothing else.

    Args:
        plan: What is going to be spoken.
        audio: Where it goes when all of it is; it may be there already, when the run was interrupted after that.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    what = f"{plan.seed} {plan.recipe} {plan.voices} {versions}"
    identity = hashlib.sha256(what.encode()).hexdigest()
    mark = plan.records / _IDENTITY
    if not mark.is_file() or mark.read_text() != identity:
        shutil.rmtree(plan.records, ignore_errors=True)
        shutil.rmtree(plan.folder, ignore_errors=True)
    elif (plan.records / _MOVED).is_file() and audio.is_dir() and not plan.folder.exists():
        audio.rename(plan.folder)
        (plan.records / _MOVED).unlink()
    plan.folder.mkdir(parents=True, exist_ok=True)
    plan.records.mkdir(exist_ok=True)
    mark.write_text(identity)


def set_down(plan: Plan) -> None:
    """Notes that all was spoken and has been moved."""
    (plan.records / _MOVED).touch()


def obtain_chunk(plan: Plan, split: str, number: int) -> Iterator[tuple[Utterance, Seconds]]:
    """Yields the utterances of a chunk and their lengths [s]; speaks them where that was not done before."""
    record = plan.records / f"{split}-{number:06d}.json"
    spoken = _read(record)
    if spoken is not None:
        yield from spoken
        return
    lines: list[object] = []
    for utterance, length in speak_chunk(plan, split, number):
        row = row_of(utterance, str(utterance.audio))
        lines.append([list(row), length, utterance.audio.stat().st_size])
        yield utterance, length
    unfinished = record.with_suffix(".unfinished")
    unfinished.write_bytes(orjson.dumps(lines))
    unfinished.replace(record)


def _read(record: Path) -> list[tuple[Utterance, Seconds]] | None:
    """Returns what a record says, None where there is none or a recording is not as it was."""
    try:
        lines = orjson.loads(record.read_bytes())
        rows = [(Row._make(row), float(length), int(size)) for row, length, size in lines]
        if any(Path(row.audio).stat().st_size != size for row, _, size in rows):
            return None
    except (OSError, ValueError, TypeError):
        return None
    return [(utterance_of(row, Path()), length) for row, length, _ in rows]
