"""The `finetune` section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from speechft_cli.config.sections.base import WHOLE, EncoderPath, Flag, Number, Positive, PositiveInt, Section, Share


class UnitsSection(Section):
    """Targets of the task `hubert`: clusters of frames."""

    layer: Annotated[int, Field(ge=0), WHOLE] | None = None
    """Hidden state whose features are clustered, 0 for the Transformer's input; nothing: MFCCs are clustered."""
    encoder: EncoderPath | None = None
    """Checkpoint of the encoder whose features are clustered; default: the one that is trained."""
    clusters: Annotated[int, Field(ge=2, le=32_767), WHOLE] = 100
    """Number of units. HuBERT took 100 for MFCCs and 500 for features."""
    fit_hours: Positive = 10.0
    """Speech that the clusters are fitted to, at most [h]; all speech is labelled."""
    unmasked_weight: Annotated[Number, Field(ge=0)] = 0.0
    """Weight of the loss on the frames that are not hidden."""


class FinetuneSection(Section):
    """Fine-tuning of the encoder on one task, or on several."""

    data: Path | None = None
    """Folder of the manifests; default: where `prepare` puts them."""
    out: Path | None = None
    """Run folder; default `<output_dir>/finetune`."""
    task: str = "asr"
    """Fine-tuning task; `speechft list tasks` shows them."""
    tasks: dict[str, Positive] = Field(default_factory=dict)
    """Several tasks on one encoder instead of `task`: task → its share of the updates, relative to the others. The
    first one's dev scores select the checkpoint."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Task → the field of the manifests that holds its target, where it has another name than the task's own, for
    example `ks: label` for the classes of a folder."""
    strategy: str = "stable"
    """Which parameters train, and what holds them back; `speechft list strategies` shows them."""
    steps: PositiveInt = 50_000
    """Optimizer updates in all."""
    frozen_share: Share = 0.1
    """β: share of the updates, from the first one on, in which only the head trains."""
    warmup_share: Share = 0.1
    """Share of the updates in which the learning rate rises linearly from 0 to its peak."""
    hold_share: Share = 0.4
    """Share of the updates in which it stays at the peak; after that it falls linearly to 0."""
    frozen_dropout: Flag = True
    """Whether dropout stays on inside the frozen encoder, as in the published code."""
    train_cnn: Flag | None = None
    """Whether the CNN trains once the encoder does; default: only in masked prediction from random weights."""
    learning_rate: Positive = 1e-4
    """Peak learning rate of the head, and of the encoder unless it has its own (Adam)."""
    encoder_learning_rate: Positive | None = None
    """Peak learning rate of the encoder; default: the head's."""
    gradient_clip: Positive = 1.0
    """Largest gradient norm over all trained parameters."""
    l2sp_weight: Annotated[Number, Field(ge=0)] = 0.01
    """λ of the strategy `l2sp`: strength of the pull toward the base."""
    lora_rank: PositiveInt = 8
    """Rank of the updates of the strategies `lora` and `dora`."""
    lora_alpha: PositiveInt = 16
    """Their scale is this over the rank."""
    lora_targets: list[str] = Field(default_factory=lambda: ["q_proj", "v_proj"], min_length=1)
    """Linear layers they update, by the last part of their name."""
    early_share: Annotated[Number, Field(gt=0, le=1)] = 0.2
    """Share of the updates after which the strategy `early` ends."""
    units: UnitsSection = Field(default_factory=UnitsSection)
    """Targets of the task `hubert`."""
    batch_seconds: Positive = 120.0
    """Audio per batch, padding included [s]."""
    batches_per_update: PositiveInt = 1
    """Batches whose gradients are averaged for one update, on each GPU."""
    crop_seconds: Positive | None = None
    """Of longer utterances a random stretch of this length is trained on, another one each time [s]; default: 15.6 s
    (250 000 samples, HuBERT's) for `hubert`, otherwise utterances are whole. Transcripts can't be cropped."""
    min_seconds: Positive = 1.0
    """Shorter training utterances are left out [s]."""
    max_seconds: Positive = 60.0
    """Longer training utterances are left out [s]."""
    batching: Literal["stock", "exact"] = "stock"
    """`stock` pads batches as s3prl does; with `exact` padding changes no utterance's features."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers that products are computed in; weights stay fp32."""
    gradient_checkpointing: Flag = False
    """Compute the activations of each layer again for the gradient: less memory, a third more time."""
    compile: Flag = False
    """Compile the encoder's layers with torch.compile: minutes at the start, then faster on a GPU."""
    skip_limit: PositiveInt = 20
    """An update whose gradient is not finite is left out; after so many the run stops."""
    evaluate_every: PositiveInt = 2_000
    """Updates between evaluations on dev; a checkpoint is saved each time."""
    save_every: PositiveInt | None = None
    """Updates between checkpoints to resume from; default: as often as dev is evaluated."""
    log_every: PositiveInt = 50
    """Updates between log lines."""
    trackers: list[Literal["aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "trackio", "wandb"]] = Field(
        default_factory=list
    )
    """Experiment trackers that get what TensorBoard gets; each is installed and logged in to as it says itself."""
    workers: Annotated[int, Field(ge=0), WHOLE] = 2
    """Processes that read audio, for each GPU; 0 reads in the main process."""
    gpus: PositiveInt = 1
    """Processes that train together, one for each GPU; on `device: cpu` that many processes, for trying."""
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

    @property
    def weighted_tasks(self) -> dict[str, float]:
        """Task → its share of the updates, relative to the others."""
        return self.tasks or {self.task: 1.0}

    @property
    def encoder_rate(self) -> float:
        """Peak learning rate of the encoder."""
        return self.encoder_learning_rate or self.learning_rate
