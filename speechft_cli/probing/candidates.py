"""Which encoders there are to compare: base, tuned, and what was merged from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import torch

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.baselines import Baseline, baseline
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.encoders.formats import encoder_in, read_encoder
from speechft_cli.encoders.names import is_baseline
from speechft_cli.encoders.recognition import UnknownFamilyError
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.events import Report, ignore
from speechft_cli.io.merge_folder import find_merges, identity, read_merge

BASE = "base"
TUNED = "tuned"


@dataclass(frozen=True)
class Candidate:
    """One encoder to evaluate.

    Attributes:
        label: Its name in tables.
        path: Checkpoint or folder, as `read_encoder` takes it, name too; or the name of a baseline.
        alpha: Of a merged encoder; None for any other.
        merged_from: base, tuned → hashes of the weights it was merged from; empty for any other.
        method: Merge method of a merged encoder; None for any other.
        make: Makes a merged encoder that lies in no file; None for any other.
        baseline: What it is where it was never pre-trained; None for any other.
    """

    label: str
    path: Path
    alpha: Decimal | None = None
    merged_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    method: str | None = None
    make: Callable[[], EncoderCheckpoint] | None = None
    baseline: Baseline | None = None

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        if self.baseline is not None:
            return self.baseline.text
        return str(self.path) if self.make is None else f"{self.method} in memory, base {self.path}"


def named(label: str, path: Path, *, seed: int) -> Candidate:
    """Returns the candidate that a user named; its alpha is known when a merge.json lies beside the checkpoint.

    Args:
        label: Its name in tables.
        path: Checkpoint, folder or name, as `read_encoder` takes it; or the name of a baseline.
        seed: Of random weights whose name says none.

    Raises:
        RequestError: A baseline's name says what there is not, or a merge.json can't be read.
    """
    if is_baseline(str(path)):
        return Candidate(label, path, baseline=baseline(str(path), seed=seed))
    folder = path if path.is_dir() else path.parent
    is_merged = (folder / "merge.json").is_file() and label not in (BASE, TUNED)
    return _merged(label, path, read_merge(folder)) if is_merged else Candidate(label, path)


def all_in(label: str, folder: Path) -> list[Candidate]:
    """Returns the encoders of a folder that `speechft merge` wrote several into; none when it is no such folder."""
    if not folder.is_dir() or encoder_in(folder) is not None:
        return []
    found = of_experiment(base=None, tuned=[], merged=folder)
    return [replace(each, label=f"{label}/{each.label}") for each in found]


def of_experiment(*, base: Path | None, tuned: Sequence[Path], merged: Path) -> list[Candidate]:
    """Returns an experiment's encoders: the base, the tuned ones, the merged ones by method and rising alpha.

    Args:
        base: The base encoder, None when it is not known.
        tuned: Tuned encoders.
        merged: Folder of the merge: a checkpoint per `alpha-*/`, perhaps below folders of methods and weights, or one
            in the folder itself.

    Raises:
        RequestError: A merge.json can't be read.
    """
    candidates = ends(base, tuned)
    known: dict[str, object] = {}
    for file, record in sorted(find_merges(merged), key=lambda pair: _place(merged, *pair)):
        found = _merged("", file, record)
        way = "/".join(_way(merged, file))
        label = f"{way}/" * bool(way) + f"alpha-{(found.alpha or Decimal(0)).normalize():f}"
        # a grid and a single merge may share a folder, where the same is not compared with itself
        if known.get(label, identity(record)) != identity(record):
            label = f"{found.method}/{label}"
        if label not in known:
            known[label] = identity(record)
            candidates.append(replace(found, label=label))
    return candidates


def ends(base: Path | None, tuned: Sequence[Path]) -> list[Candidate]:
    """Returns what lies at the ends of ways through weight space: the base, if it is known, and the tuned encoders."""
    labels = [TUNED] if len(tuned) == 1 else [f"{TUNED}-{number}" for number in range(1, len(tuned) + 1)]
    first = [] if base is None else [Candidate(BASE, base)]
    return [*first, *map(Candidate, labels, tuned)]


def read_candidate(
    candidate: Candidate, likely: EncoderFamily | None, *, base: Path | None, report: Report = ignore
) -> EncoderCheckpoint:
    """Reads an encoder so that it can be built.

    Args:
        candidate: The encoder.
        likely: Its family where the file does not tell.
        base: Lends its configuration to a checkpoint of its family that has none, as an s3prl downstream run.
        report: Hears of the download of an encoder that is named.

    Raises:
        RequestError: It can't be read.
    """
    checkpoint = _read(candidate.path, likely, report) if candidate.make is None else candidate.make()
    if checkpoint.is_complete or base is None:
        return checkpoint
    lender = _read(base, likely, report)
    is_alike = lender.family.name == checkpoint.family.name
    return replace(checkpoint, container=lender.container) if is_alike else checkpoint


def _read(path: Path, likely: EncoderFamily | None, report: Report) -> EncoderCheckpoint:
    try:
        return read_encoder(path, report=report)
    except UnknownFamilyError:
        if likely is None:
            raise
        return read_encoder(path, likely, report=report)


def build_candidate(
    candidate: Candidate,
    likely: EncoderFamily | None,
    *,
    base: Path | None,
    device: torch.device,
    exact_padding: bool,
    report: Report = ignore,
) -> FrozenEncoder:
    """Builds an encoder, or a baseline.

    Args:
        candidate: The encoder.
        likely: Its family where the file does not tell.
        base: Lends its configuration to a checkpoint of its family that has none.
        device: Where to put it.
        exact_padding: Whether an utterance's features in a batch are those it has alone.
        report: Hears of the download of an encoder that is named.

    Raises:
        RequestError: It can't be read, or does not load.
    """
    if candidate.baseline is not None:
        return candidate.baseline.build(device, exact_padding)
    checkpoint = read_candidate(candidate, likely, base=base, report=report)
    return build_encoder(checkpoint, device=device, exact_padding=exact_padding)


def _way(merged: Path, file: Path) -> tuple[str, ...]:
    """The folders of method and weights that a merged encoder lies in, where there is more than one of them."""
    parts = file.parent.relative_to(merged).parts
    return parts[:-1] if parts and parts[-1].startswith("alpha-") else parts


def _place(merged: Path, file: Path, record: Mapping[str, object]) -> tuple[tuple[str, ...], Decimal]:
    return _way(merged, file), Decimal(str(record["alpha"]))


def _merged(label: str, path: Path, record: Mapping[str, object]) -> Candidate:
    base, tuned = cast("Mapping[str, str]", record["base"]), cast("list[Mapping[str, str]]", record["tuned"])
    merged_from = {BASE: (base["weights_sha256"],), TUNED: tuple(each["weights_sha256"] for each in tuned)}
    return Candidate(label, path, Decimal(str(record["alpha"])), merged_from, str(record["method"]))
