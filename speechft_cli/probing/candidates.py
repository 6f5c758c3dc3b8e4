"""Which encoders there are to compare: base, tuned, and what was merged from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import cast

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.io.merge_folder import read_merge

BASE = "base"
TUNED = "tuned"


@dataclass(frozen=True)
class Candidate:
    """One encoder to evaluate.

    Attributes:
        label: Its name in tables.
        path: Checkpoint or folder, as `read_encoder` takes it.
        alpha: Of a merged encoder; None for any other.
        merged_from: base, tuned → hashes of the weights it was merged from; empty for any other.
        method: Merge method of a merged encoder; None for any other.
        make: Makes a merged encoder that lies in no file; None for any other.
    """

    label: str
    path: Path
    alpha: Decimal | None = None
    merged_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    method: str | None = None
    make: Callable[[], EncoderCheckpoint] | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return str(self.path) if self.make is None else f"{self.method} in memory, base {self.path}"


def named(label: str, path: Path) -> Candidate:
    """Returns the candidate that a user named; its alpha is known when a merge.json lies beside the checkpoint."""
    folder = path if path.is_dir() else path.parent
    is_merged = (folder / "merge.json").is_file() and label not in (BASE, TUNED)
    return _merged(label, path, read_merge(folder)) if is_merged else Candidate(label, path)


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
    found = [_merged("", file, read_merge(file.parent)) for file in files]
    by_alpha = sorted(((each.alpha or Decimal(0), each) for each in found), key=lambda pair: pair[0])
    return candidates + [replace(each, label=f"alpha-{alpha.normalize():f}") for alpha, each in by_alpha]


def read_candidate(candidate: Candidate, family: EncoderFamily | None, *, base: Path | None) -> EncoderCheckpoint:
    """Reads an encoder so that it can be built.

    Args:
        candidate: The encoder.
        family: What it must be; told by the file when None.
        base: Lends its configuration to a checkpoint that has none, as an s3prl downstream run.

    Raises:
        RequestError: It can't be read.
    """
    checkpoint = read_encoder(candidate.path, family) if candidate.make is None else candidate.make()
    if checkpoint.is_complete or base is None:
        return checkpoint
    return replace(checkpoint, container=read_encoder(base, family).container)


def _merged(label: str, path: Path, record: Mapping[str, object]) -> Candidate:
    base, tuned = cast("Mapping[str, str]", record["base"]), cast("list[Mapping[str, str]]", record["tuned"])
    merged_from = {BASE: (base["weights_sha256"],), TUNED: tuple(each["weights_sha256"] for each in tuned)}
    return Candidate(label, path, Decimal(str(record["alpha"])), merged_from, str(record["method"]))
