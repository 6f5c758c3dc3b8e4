"""Which encoders there are to compare: base, tuned, and what was merged from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.errors import RequestError

BASE = "base"
TUNED = "tuned"


@dataclass(frozen=True)
class Candidate:
    """One encoder to evaluate.

    Attributes:
        label: Its name in tables.
        path: Checkpoint or folder, as `read_encoder` takes it.
        alpha: Of a merged encoder; None for any other.
    """

    label: str
    path: Path
    alpha: Decimal | None = None


def named(label: str, path: Path) -> Candidate:
    """Returns the candidate that a user named; its alpha is known when a merge.json lies beside the checkpoint."""
    folder = path if path.is_dir() else path.parent
    is_merged = (folder / "merge.json").is_file() and label not in (BASE, TUNED)
    return Candidate(label, path, _read_alpha(folder) if is_merged else None)


def of_experiment(*, base: Path | None, tuned: Sequence[Path], merged: Path, file_name: str) -> list[Candidate]:
    """Returns an experiment's encoders: the base, the tuned ones, the merged ones by rising alpha.

    Args:
        base: The base encoder, None when it is not known.
        tuned: Tuned encoders.
        merged: Folder of the merge: a checkpoint per `alpha-*/`, or one in the folder itself.
        file_name: Of the merged checkpoints.

    Raises:
        RequestError: A merge.json can't be read.
    """
    candidates = [] if base is None else [Candidate(BASE, base)]
    for number, path in enumerate(tuned, start=1):
        candidates.append(Candidate(TUNED if len(tuned) == 1 else f"{TUNED}-{number}", path))
    files = list(merged.glob(f"alpha-*/{file_name}"))
    if not files and (merged / file_name).is_file():
        files = [merged / file_name]
    alphas = sorted((_read_alpha(file.parent), file) for file in files)
    return candidates + [Candidate(f"alpha-{alpha.normalize():f}", file, alpha) for alpha, file in alphas]


def read_candidate(candidate: Candidate, family: EncoderFamily, *, base: Path | None) -> EncoderCheckpoint:
    """Reads an encoder so that it can be built.

    Args:
        candidate: The encoder.
        family: What it must be.
        base: Lends its configuration to a checkpoint that has none, as an s3prl downstream run.

    Raises:
        RequestError: It can't be read.
    """
    checkpoint = read_encoder(candidate.path, family)
    if checkpoint.is_complete or base is None:
        return checkpoint
    return replace(checkpoint, container=read_encoder(base, family).container)


def _read_alpha(folder: Path) -> Decimal:
    path = folder / "merge.json"
    try:
        return Decimal(str(json.loads(path.read_text(encoding="utf-8"))["alpha"]))
    except (OSError, ValueError, KeyError, TypeError, InvalidOperation) as error:
        raise RequestError(
            f"{path}: must say the alpha of the checkpoint beside it, can't be read: {error!r}",
            "merge again, or name the encoders: --model LABEL=PATH",
        ) from error
