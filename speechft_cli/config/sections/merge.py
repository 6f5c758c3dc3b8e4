"""The `merge` section."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from speechft_cli.config.sections.base import Alphas, EncoderPath, Flag, Number, Section
from speechft_cli.config.sections.statistics import StatisticsSection


def _list(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


def _distinct(values: list[str]) -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"must name each once, got {', '.join(twice)} more than once")
    return values


Names = Annotated[
    list[str],
    BeforeValidator(_list, json_schema_input_type=str | list[str]),
    AfterValidator(_distinct),
    Field(min_length=1),
]
#: One number, or several that are interpolated from the first Transformer layer to the last.
Gradient = Annotated[
    list[Number], BeforeValidator(_list, json_schema_input_type=float | list[float]), Field(min_length=1)
]

Folders = Annotated[list[Path], BeforeValidator(_list, json_schema_input_type=str | list[str])]


def _checkpoint_name(value: str) -> str:
    if not value.removesuffix(".pt") or not value.endswith(".pt") or "/" in value:  # the card and the record lie beside
        raise ValueError(f"must be a file name that ends in .pt, got {value!r}")
    return value


class FilterSection(Section):
    """What is special about some tensors."""

    match: str
    """A preset (attention, feed_forward, norm, bias, cnn, pos_conv, layers), `layers 0-5`, `re:` and a regular
    expression, or a glob over the tensor's whole name."""
    scale: Gradient | None = None
    """Their alpha is the grid's times this; a list is a gradient from the first layer to the last."""
    alpha: Gradient | None = None
    """Their alpha is this at every alpha of the grid but 0, where all is the base; may be a gradient too."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """Parameters of the method that are others for them."""

    @model_validator(mode="after")
    def _one_alpha(self) -> FilterSection:
        if self.scale is not None and self.alpha is not None:
            raise ValueError("must have either 'scale' or 'alpha', got both")
        if self.scale is None and self.alpha is None and not self.parameters:
            raise ValueError("must have 'scale', 'alpha' or 'parameters', got none of them")
        return self


class MergeSection(Section):
    """Base + tuned → one checkpoint per alpha."""

    base: EncoderPath | None = None
    """Pre-trained checkpoint θ0; default: the encoder the fine-tuning run started from."""
    tuned: list[EncoderPath] = Field(default_factory=list)
    """Fine-tuned checkpoints θ'; default: the best checkpoint of the fine-tuning run."""
    method: str | Names = "linear"
    """Merge method; `speechft list methods` shows them."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """Parameters of the method, named as in mergekit: weight, density, lambda, normalize, ...; docs/merging.md lists
    them. With several methods each takes those it has."""
    weights: list[list[Number]] = Field(default_factory=list)
    """A grid of weights, each a list of one number per tuned model; each writes into its own folder."""
    greedy: str | None = None
    """A task: of the tuned models only those are merged that make a greedy soup by its score on dev, which probes find
    as the `evaluate` section says. Default: all are merged."""
    data: Folders = Field(default_factory=list)
    """Manifests that the methods `fisher` and `regmean` measure on: one folder for all tuned models, or one for each;
    default: those that each was fine-tuned on. Also what `greedy` scores on: one folder. Default of all else:
    `evaluate.data`, or where `prepare` puts them."""
    statistics: StatisticsSection = Field(default_factory=StatisticsSection)
    filters: list[FilterSection] = Field(default_factory=list)
    """Tensors with an alpha or parameters of their own; the first filter that matches a tensor counts."""
    weight_norm: Literal["stored", "effective"] = "stored"
    """Weight-normed convolutions: merge length and direction as they are stored, as the published code does, or the
    kernel that they make."""
    alpha: Alphas | None = None
    """One alpha: the merged checkpoint is written into the output folder itself. Default 0.25, the paper's."""
    alphas: Alphas | None = None
    """A grid, `START:STOP:STEP` or a list: each alpha is written into its own folder `alpha-<a>/`."""
    out: Path | None = None
    """Output folder; default `<output_dir>/merge`."""
    formats: Names = Field(default_factory=lambda: ["s3prl"])
    """Formats of each merged checkpoint; `speechft list formats` shows them."""
    file_name: Annotated[str, AfterValidator(_checkpoint_name)] = "encoder.pt"
    """Name of each merged checkpoint in the layout s3prl loads, ending in `.pt`; other formats take its stem."""
    license: str = ""
    """Licence of the base, for the model card; default: what the base's own card says."""
    allow_unrelated: Flag = False
    """Merge models that have nothing in common, too."""

    @model_validator(mode="after")
    def _one_grid(self) -> MergeSection:
        if self.alpha is not None and self.alphas is not None:
            raise ValueError("must have either 'alpha' or 'alphas', got both")
        if self.alpha is not None and len(self.alpha) != 1:
            raise ValueError(f"alpha must be one number, got {len(self.alpha)}; use 'alphas' for a grid")
        if self.weights and "weight" in self.parameters:
            raise ValueError("must have either 'weights' or 'parameters.weight', got both")
        if self.greedy is not None and (self.weights or isinstance(self.parameters.get("weight"), list)):
            raise ValueError("must have either 'greedy' or a weight for each tuned model, got both")
        twice = [weights for number, weights in enumerate(self.weights) if weights in self.weights[:number]]
        if twice:
            raise ValueError(f"must name each list of weights once, got {twice[0]} more than once")
        return self

    @property
    def methods(self) -> list[str]:
        """The merge methods; of several, each writes into its own folder."""
        return [self.method] if isinstance(self.method, str) else self.method

    @property
    def is_grid(self) -> bool:
        """Whether every alpha gets a folder of its own."""
        return self.alphas is not None

    @property
    def chosen_alphas(self) -> tuple[Decimal, ...]:
        """The alphas to write, the paper's 0.25 when nothing is said."""
        return self.alphas or self.alpha or (Decimal("0.25"),)
