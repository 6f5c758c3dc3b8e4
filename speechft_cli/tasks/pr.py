"""Phoneme recognition."""

from __future__ import annotations

from collections.abc import Iterable

from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.heads import FrameHead
from speechft_cli.tasks.metrics import word_error_rate
from speechft_cli.tasks.transcription import Transcription


def _symbols(targets: Iterable[str]) -> tuple[str, ...]:
    phones: set[str] = set()
    for target in targets:
        phones.update(target.split())
    return ("<blank>", *sorted(phones))


def _glance(phones: str, vocabulary: Vocabulary) -> int | None:
    spelt = phones.split()
    return len(spelt) if spelt and vocabulary.index.keys() >= set(spelt) else None


PR = Transcription(
    name="pr",
    needs="phones",
    metrics=(Metric("per", "PER", "%", "lower"),),
    measures=(word_error_rate,),
    clean=lambda target: " ".join(target.split()),
    symbols=_symbols,
    spell=str.split,
    read=" ".join,
    make_head=FrameHead,
    glance=_glance,
    make_probe=FrameHead,
    probe_learning_rates=(1e-2,),
)
