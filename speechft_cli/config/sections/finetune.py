"""The `finetune` section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from speechft_cli.config.sections.base import Positive, PositiveInt, Section, Share


class FinetuneSection(Section):
    """Stable fine-tuning of the encoder on one task."""

    data: Path | None = None
    """Folder of the manifests; default: where `prepare` puts them."""
    out: Path | None = None
    """Run folder; default `<output_dir>/finetune`."""
    task: str = "asr"
    """Fine-tuning task; `speechft list tasks` shows them."""
    steps: PositiveInt = 50_000
    """Optimizer updates in all."""
    frozen_share: Share = 0.1
    """β: share of the updates, from the first one on, in which only the head trains."""
    warmup_share: Share = 0.1
    """Share of the updates in which the learning rate rises linearly from 0 to its peak."""
    hold_share: Share = 0.4
    """Share of the updates in which it stays at the peak; after that it falls linearly to 0."""
    frozen_dropout: bool = True
    """Whether dropout stays on inside the frozen encoder, as in the published code."""
    learning_rate: Positive = 1e-4
    """Peak learning rate of encoder and head (Adam)."""
    gradient_clip: Positive = 1.0
    """Largest gradient norm over all trained parameters."""
    batch_seconds: Positive = 120.0
    """Audio per batch, padding included [s]."""
    min_seconds: Positive = 1.0
    """Shorter training utterances are left out [s]."""
    max_seconds: Positive = 60.0
    """Longer training utterances are left out [s]."""
    evaluate_every: PositiveInt = 2_000
    """Updates between evaluations on dev; a checkpoint is saved each time."""
    log_every: PositiveInt = 50
    """Updates between log lines."""
    workers: Annotated[int, Field(ge=0)] = 2
    """Processes that read audio; 0 reads in the main process."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""

    @model_validator(mode="after")
    def _shares_fit(self) -> FinetuneSection:
        if self.warmup_share + self.hold_share > 1:
            raise ValueError(
                f"warmup_share + hold_share must be at most 1, got {self.warmup_share + self.hold_share:g}"
            )
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds must be at most max_seconds, got {self.min_seconds:g} > {self.max_seconds:g}"
            )
        return self
