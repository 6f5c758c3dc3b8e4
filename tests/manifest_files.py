"""Manifests made of utterances that a test has at hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from speechft_cli.data.manifests.blocks import make_block
from speechft_cli.data.manifests.folder import audio_inside, manifest_path, manifest_writer
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of


def write_manifest(folder: Path, split: str, utterances: Iterable[Utterance]) -> Path:
    """Writes one split sorted by id, and returns its path; the utterances have durations and sample rates."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = audio_inside(folder)
    rows = [row_of(each, str(each.audio.absolute()).removeprefix(inside)) for each in utterances]
    with manifest_writer(folder, split) as add:
        if rows:
            add(make_block(split, sorted(rows, key=lambda row: row.id)))
    return manifest_path(folder, split)
