"""The `evaluate` section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from speechft_cli.config.sections.base import WHOLE, EncoderPath, Flag, Number, Positive, PositiveInt, Section


class EvaluateSection(Section):
    """Frozen encoders × tasks → scores and a report."""

    data: Path | None = None
    """Folder of the manifests; default: where `prepare` puts them."""
    out: Path | None = None
    """Output folder; default `<output_dir>/evaluate`."""
    models: dict[str, EncoderPath] = Field(default_factory=dict)
    """Label → checkpoint, folder of merged ones, `logmel`, `fbank`, or `random:FAMILY-SIZE`; default: the base, the
    tuned encoder and every merged alpha."""
    interpolate: Flag = False
    """Make the merged encoders of the `merge` section in memory instead of reading what `merge` wrote; `models` then
    come in addition."""
    tasks: list[str] = Field(default_factory=lambda: ["sid", "asr"], min_length=1)
    """Probing tasks; `speechft list tasks` shows them."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Task → the field of the manifests that holds its target, where it has another name than the task's own, for
    example `ks: label`."""
    preset: str = "default"
    """How probes are trained; `speechft list presets` shows them. Steps and learning rates given here come first."""
    folds: dict[str, str | None] = Field(default_factory=dict)
    """Task → the field of the manifests whose values are the folds of a cross-validation, for example `er: session`:
    each value is tested on once, by probes that never met it, and scores are means over the folds. `null` for one
    split. Default: the preset's."""
    steps: dict[str, PositiveInt] = Field(default_factory=dict)
    """Task → optimizer updates of its probe; default: the preset's."""
    learning_rates: dict[str, list[Positive]] = Field(default_factory=dict)
    """Task → learning rates to try; the best on dev is scored on test. Default: the preset's."""
    extend_learning_rates: Annotated[int, Field(ge=0), WHOLE] = 2
    """How often the learning rates are extended where the best one is the smallest or the largest of several."""
    seeds: PositiveInt = 3
    """Probes per learning rate that differ in first weights and randomness; scores are their mean."""
    crop_seconds: Positive | None = None
    """Utterance tasks hear at most this much from the middle of each utterance [s]; default: all of it."""
    target: list[str] = Field(default_factory=list)
    """Tasks that are to gain, for the recommended alpha; the others are to be retained. Default: what the tuned encoder
    was fine-tuned on."""
    drift_seconds: Annotated[Number, Field(ge=0)] = 60.0
    """Speech without labels, from dev, that drift from the base is measured on [s]; 0 leaves drift out."""
    drift_only: Flag = False
    """Measure drift and nothing else: needs no labels and no tasks."""
    language_model: Path | None = None
    """An n-gram in ARPA format, plain or gzip: the test transcripts of `asr` are then found by beam search over its
    words. Needs flashlight-text. Probes are chosen by greedy transcripts of dev all the same."""
    beam_size: PositiveInt = 50
    """Hypotheses that beam search keeps at each frame."""
    language_weight: Annotated[Number, Field(ge=0)] = 2.0
    """Weight of the n-gram's log10 probability."""
    word_score: Number = -1.0
    """Added to a hypothesis for each word."""
    batching: Literal["exact", "stock"] = "exact"
    """`exact`: every utterance is encoded as if alone. `stock`: padded batches as s3prl makes them, which change most
    encoders' features, for parity with figures made so."""
    frame_precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the hidden states that sequence tasks hear; `bf16` takes half the room."""
    memory_gib: Positive = 4.0
    """Memory for hidden states; with several encoders half of it is for audio and what their CNN makes of it [GiB]."""
    cache: Path | None = None
    """Folder of features that later runs use again; default `cache` in the output folder."""
    cache_gib: Positive = 10.0
    """Most that folder takes [GiB]; what was not used for longest goes first."""
    score: str = "superb_leaderboard"
    """Constants of the SUPERB score; `speechft list scores` shows them."""
    score_file: Path | None = None
    """Constants of your own instead: a YAML file, task → metric → [what scores 0, what scores 1000]."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
