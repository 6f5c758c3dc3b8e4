"""drift.jsonl: one line per encoder and hidden state, and the table of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from speechft_cli.events import Table
from speechft_cli.reporting.json_lines import read_lines
from speechft_cli.tasks.metrics import mean


@dataclass(frozen=True)
class Drift:
    """How far one hidden state of one encoder is from the base's.

    Attributes:
        label: The encoder's name.
        weights_hash: SHA-256 of its weights as they were loaded.
        alpha: Of a merged encoder; None for any other.
        layer: 0 for the Transformer's input, i for the output of layer i.
        distance: ‖θ − θ0‖ of the layer's weights; for layer 0 of all the weights outside the layers. None for a hidden
            state that is no layer's output.
        size: ‖θ0‖ of the same weights.
        relative: ‖θ − θ0‖ / ‖θ0‖.
        cka: Linear CKA with the base's features.
        cosine: Mean cosine with the base's features, frame by frame.
        llfc: Mean cosine of a merged encoder's features with the interpolated ones; None for any other.
        variance: A merged encoder's feature variance as a share of the interpolated features'; None for any other.
        utterances: Utterances heard.
        seconds: How long they are together [s].
        source: Hash of what else it depends on: the utterances and the encoders it is held against.
    """

    label: str
    weights_hash: str
    alpha: float | None
    layer: int
    distance: float | None
    size: float | None
    relative: float | None
    cka: float
    cosine: float
    llfc: float | None
    variance: float | None
    utterances: int
    seconds: float
    source: str


def read_drift(path: Path) -> list[Drift]:
    """Reads drift.jsonl; a line of another version is left out, and no file is no lines."""
    names = {field.name for field in fields(Drift)}
    return [Drift(**values) for values in read_lines(path) if values.keys() == names]


def by_encoder(lines: Iterable[Drift]) -> dict[str, list[Drift]]:
    """Returns label → its lines, by rising layer."""
    found: dict[str, list[Drift]] = {}
    for line in lines:
        found.setdefault(line.label, []).append(line)
    return {label: sorted(each, key=lambda line: line.layer) for label, each in found.items()}


def mean_drift(lines: Sequence[Drift]) -> float:
    """Returns how far one encoder's features have moved: the mean over its hidden states of 1 − CKA."""
    return sum(1 - line.cka for line in lines) / len(lines)


def drift_table(lines: Iterable[Drift]) -> Table:
    """Returns a row per encoder: whole-model weight distance, and features as means over all hidden states."""
    rows = []
    for label, layers in by_encoder(lines).items():
        size = math.hypot(*(line.size or 0.0 for line in layers))
        distance = math.hypot(*(line.distance or 0.0 for line in layers))
        llfc = [line.llfc for line in layers if line.llfc is not None]
        variance = [line.variance for line in layers if line.variance is not None]
        rows.append(
            (
                label,
                f"{distance:.3g}",
                f"{distance / size:.2%}" if size else "0.00%",
                f"{mean_drift(layers):.4f}",
                f"{mean([line.cosine for line in layers]):.4f}",
                f"{mean(llfc):.4f}" if llfc else "",
                f"{mean(variance):.3f}" if variance else "",
            )
        )
    columns = ("encoder", "‖θ−θ0‖", "relative", "1 − CKA", "cosine", "LLFC", "var")
    return Table("drift from base", columns, tuple(rows))
