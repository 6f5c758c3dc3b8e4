"""The config model: one YAML, one section per stage. Every field says what it means and in which unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from speechft_cli.config.sections.base import WHOLE, Section, plain_name
from speechft_cli.config.sections.encoder import EncoderSection
from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.config.sections.prepare import PrepareSection


class Config(Section):
    """One experiment."""

    name: Annotated[str, AfterValidator(plain_name)] = "speechft"
    """Name of the experiment."""
    seed: Annotated[int, Field(ge=0, lt=2**32), WHOLE] = 1337
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
        return self._folder(self.prepare, "data")

    @property
    def run_dir(self) -> Path:
        """The fine-tuning run folder."""
        return self._folder(self.finetune, "finetune")

    @property
    def merge_dir(self) -> Path:
        """Where `merge` puts its checkpoints."""
        return self._folder(self.merge, "merge")

    @property
    def evaluate_dir(self) -> Path:
        """Where `evaluate` puts scores and report."""
        return self._folder(self.evaluate, "evaluate")

    def _folder(
        self, section: PrepareSection | FinetuneSection | MergeSection | EvaluateSection | None, default: str
    ) -> Path:
        return (section and section.out) or self.output_dir / default
