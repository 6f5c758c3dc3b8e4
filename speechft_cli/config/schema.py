"""The config model: one YAML, one section per stage. Every field says what it means and in which unit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from speechft_cli.config.alphas import parse_alphas

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
Alphas = Annotated[tuple[Decimal, ...], BeforeValidator(parse_alphas)]


def _file_name(value: str) -> str:
    if not value or "/" in value or value in {".", ".."}:
        raise ValueError(f"must be usable as a folder name, got {value!r}")
    return value


class Section(BaseModel):
    """What all sections share: unknown keys are errors, values don't change, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class EncoderSection(Section):
    """The pre-trained encoder θ0 that everything starts from."""

    family: str = "hubert"
    """Encoder family; `speechft list encoders` shows them."""
    checkpoint: Path | None = None
    """Checkpoint to start from: an s3prl converted `.pt`, a run folder, or an s3prl downstream `.ckpt`."""
    init: Literal["random"] | None = None
    """`random`: start from random weights instead of a checkpoint, and mean it."""
    size: Literal["tiny", "base"] = "base"
    """Architecture of a randomly initialised encoder; a checkpoint brings its own."""

    @model_validator(mode="after")
    def _one_source(self) -> EncoderSection:
        if self.checkpoint is not None and self.init is not None:
            raise ValueError("must have either 'checkpoint' or 'init: random', got both")
        return self


class PrepareSection(Section):
    """Corpus on disk → manifests."""

    corpus: str = "synthetic"
    """Corpus reader; `speechft list corpora` shows them."""
    root: Path | None = None
    """Where the corpus lies; a folder, or for `manifest` the JSONL or CSV file (or the folder that holds
    `manifest.jsonl`). `synthetic` needs none."""
    out: Path | None = None
    """Folder of the manifests; default `<output_dir>/data`."""
    hours: Positive | None = None
    """Keep at most this many hours of each split [h], in corpus order; for `synthetic`: hours of the train split."""
    splits: dict[str, list[str]] = Field(default_factory=dict)
    """Which parts of the corpus make up train, dev and test, for example `train: [train-clean-100]`; default: the
    corpus's own."""
    min_seconds: Positive = 0.1
    """Shorter utterances are rejected [s]."""
    max_seconds: Positive = 60.0
    """Longer utterances are rejected [s]."""


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


class MergeSection(Section):
    """Base + tuned → one checkpoint per alpha."""

    base: Path | None = None
    """Pre-trained checkpoint θ0; default: the encoder the fine-tuning run started from."""
    tuned: list[Path] = Field(default_factory=list)
    """Fine-tuned checkpoints θ'; default: the best checkpoint of the fine-tuning run."""
    method: str = "linear"
    """Merge method; `speechft list methods` shows them."""
    alpha: Alphas | None = None
    """One alpha: the merged checkpoint is written into the output folder itself. Default 0.25, the paper's."""
    alphas: Alphas | None = None
    """A grid, `START:STOP:STEP` or a list: each alpha is written into its own folder `alpha-<a>/`."""
    out: Path | None = None
    """Output folder; default `<output_dir>/merge`."""
    file_name: Annotated[str, AfterValidator(_file_name)] = "encoder.pt"
    """Name of each merged checkpoint, in the layout s3prl loads."""

    @model_validator(mode="after")
    def _one_grid(self) -> MergeSection:
        if self.alpha is not None and self.alphas is not None:
            raise ValueError("must have either 'alpha' or 'alphas', got both")
        if self.alpha is not None and len(self.alpha) != 1:
            raise ValueError(f"alpha must be one number, got {len(self.alpha)}; use 'alphas' for a grid")
        return self

    @property
    def is_grid(self) -> bool:
        """Whether every alpha gets a folder of its own."""
        return self.alphas is not None

    @property
    def chosen_alphas(self) -> tuple[Decimal, ...]:
        """The alphas to write, the paper's 0.25 when nothing is said."""
        return self.alphas or self.alpha or (Decimal("0.25"),)


class EvaluateSection(Section):
    """Frozen encoders × tasks → scores and a report."""

    data: Path | None = None
    """Folder of the manifests; default: where `prepare` puts them."""
    out: Path | None = None
    """Output folder; default `<output_dir>/evaluate`."""
    models: dict[str, Path] = Field(default_factory=dict)
    """Label → checkpoint; default: the base, the tuned encoder and every merged alpha."""
    tasks: list[str] = Field(default_factory=lambda: ["sid", "asr"], min_length=1)
    """Probing tasks; `speechft list tasks` shows them."""
    steps: dict[str, PositiveInt] = Field(default_factory=dict)
    """Task → optimizer updates of its probe; default: the task's own."""
    learning_rates: dict[str, list[Positive]] = Field(default_factory=dict)
    """Task → learning rates to try; the best on dev is scored on test. Default: the task's own."""
    crop_seconds: Positive | None = None
    """Utterance tasks hear at most this much from the middle of each utterance [s]; default: all of it."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""


class Config(Section):
    """One experiment."""

    name: Annotated[str, AfterValidator(_file_name)] = "speechft"
    """Name of the experiment."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1337
    """Seed of everything random."""
    output_dir: Path = Path("runs")
    """Folder of everything the experiment writes, unless a section says otherwise; default `runs/<name>` beside the
    YAML file."""
    encoder: EncoderSection | None = None
    prepare: PrepareSection | None = None
    finetune: FinetuneSection | None = None
    merge: MergeSection | None = None
    evaluate: EvaluateSection | None = None

    @property
    def data_dir(self) -> Path:
        """Where `prepare` puts its manifests."""
        if self.prepare is not None and self.prepare.out is not None:
            return self.prepare.out
        return self.output_dir / "data"

    @property
    def run_dir(self) -> Path:
        """The fine-tuning run folder."""
        if self.finetune is not None and self.finetune.out is not None:
            return self.finetune.out
        return self.output_dir / "finetune"

    @property
    def merge_dir(self) -> Path:
        """Where `merge` puts its checkpoints."""
        if self.merge is not None and self.merge.out is not None:
            return self.merge.out
        return self.output_dir / "merge"

    @property
    def evaluate_dir(self) -> Path:
        """Where `evaluate` puts scores and report."""
        if self.evaluate is not None and self.evaluate.out is not None:
            return self.evaluate.out
        return self.output_dir / "evaluate"
