"""The `merge` section."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from speechft_cli.config.sections.base import Alphas, Section, plain_name


class MergeSection(Section):
    """Base + tuned → one checkpoint per alpha."""

    base: Path | None = None
    """Pre-trained checkpoint θ0; default: the encoder the fine-tuning run started from."""
    tuned: list[Path] = Field(default_factory=list)
    """Fine-tuned checkpoints θ'; default: the best checkpoint of the fine-tuning run."""
    method: str = "linear"
    """Merge method; `speechft list methods` shows them."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """Parameters of the method, named as in mergekit: weight, density, lambda, normalize, ...; docs/merging.md lists
    them."""
    alpha: Alphas | None = None
    """One alpha: the merged checkpoint is written into the output folder itself. Default 0.25, the paper's."""
    alphas: Alphas | None = None
    """A grid, `START:STOP:STEP` or a list: each alpha is written into its own folder `alpha-<a>/`."""
    out: Path | None = None
    """Output folder; default `<output_dir>/merge`."""
    file_name: Annotated[str, AfterValidator(plain_name)] = "encoder.pt"
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
