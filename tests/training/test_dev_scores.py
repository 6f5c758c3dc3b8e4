"""Predictions on dev are those of each utterance alone, whatever it shares a batch with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.audio import read_waveform
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines.finetune.jobs import check_jobs
from speechft_cli.training.evaluation import predict
from speechft_cli.training.units import Units


@pytest.mark.parametrize("task", ["asr", "pr", "hubert"])
def test_a_batch_gives_what_its_utterances_give_alone(tiny: EncoderCheckpoint, manifests: Path, task: str) -> None:
    torch.manual_seed(0)
    (checked,) = check_jobs(FinetuneSection(data=manifests, task=task), manifests, tiny)
    job = checked.job
    encoder = build_encoder(tiny, device=torch.device("cpu"))  # pads as s3prl does
    waveforms = [read_waveform(each) for each in job.dev]
    assert len({len(waveform) for waveform in waveforms}) > 1
    if job.masking is not None:
        counts = [encoder.family.frame_count(len(wave)) for wave in map(read_waveform, [*job.train, *job.dev])]
        units = np.random.default_rng(0).integers(0, len(job.vocabulary), sum(counts)).astype(np.int16)
        job = replace(job, units=Units(units, np.cumsum(counts)))
    head = job.task.head(encoder.width, len(job.vocabulary)).eval()

    together = predict(encoder, head, job, range(len(waveforms)), waveforms)
    alone = [predict(encoder, head, job, [index], [wave])[0] for index, wave in enumerate(waveforms)]

    assert together == alone
    assert len({prediction for prediction, _ in alone}) > 1
    if job.masking is None:
        assert [reference for _, reference in alone] == [job.reference(each) for each in job.dev]
