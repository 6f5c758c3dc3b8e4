from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.batches import Position, Source, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.manifests import read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import SpeechftError


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_read_is_what_was_planned(manifests: Path, workers: int) -> None:
    utterances = read_manifest(manifests, "train")
    sources = [Source(utterances, batch_seconds=3.0, crop_seconds=1.1)]
    plan = partial(plan_updates, sources, seed=1, step=0, positions=[Position()], batches_per_update=2)
    for planned, batches in islice(load_updates(sources, plan, workers=workers), 9):
        assert [batch.pieces for batch in batches] == list(planned.batches)
        for batch in batches:
            for piece, waveform in zip(batch.pieces, batch.waveforms, strict=True):
                whole = read_waveform(utterances[piece.utterance])
                assert torch.equal(waveform, whole[piece.start : piece.start + piece.length])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_recording_that_has_gone_is_named(tmp_path: Path, workers: int) -> None:
    gone = Utterance("x", tmp_path / "gone.wav", duration=1.0, sample_rate=16_000)
    sources = [Source(Utterances.of([gone]), batch_seconds=5)]
    plan = partial(plan_updates, sources, seed=0, step=0, positions=[Position()])
    with pytest.raises(SpeechftError, match=r"gone\.wav: must be a recording, but there is no such file"):
        next(load_updates(sources, plan, workers=workers))
