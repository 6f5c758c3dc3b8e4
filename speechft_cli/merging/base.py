"""What a merge method is: a curve through weight space. Methods are pure: no files, no global state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from speechft_cli.io.arrays import Array
from speechft_cli.merging.statistic import Statistic

#: alpha → tensor. One curve serves a whole grid, so what does not depend on alpha is computed when it is drawn.
Curve = Callable[[float], Array]

#: (base, tuned) of every merged tensor of two whole models, in fp32 or fp64.
Whole = Callable[[], Iterable[tuple[Array, Array]]]


def _several(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError(f"must be a number, or one number per tuned model, got {value!r}")
    return (value,) if isinstance(value, int | float) else tuple(value) if isinstance(value, list) else value


#: One number for all tuned models, or one for each.
Weight = Annotated[tuple[float, ...], BeforeValidator(_several), Field(min_length=1)]


def weight_of_each(weight: Weight, count: int) -> tuple[float, ...]:
    """Returns one number for each of `count` tuned models."""
    return weight * count if len(weight) == 1 else weight


def wrong_weights(weight: Weight, count: int) -> list[str]:
    """Says that there are not as many weights as `count` tuned models need."""
    if len(weight) in (1, count):
        return []
    return [f"weight: must be one number, or one per tuned model ({count}), got {len(weight)}"]


@dataclass(frozen=True)
class Spot:
    """Where in the encoder a tensor sits, and what a method found out about the whole model.

    Attributes:
        name: Its name, for example `encoder.layers.3.fc1.weight`.
        depth: 0 for the first Transformer layer and for all that is in no numbered layer, 1 for the last.
        survey: What the method's `survey` returned, one number per tuned model; empty when it makes none.
        statistics: What was measured of this tensor, one array per tuned model; empty when nothing was.
    """

    name: str
    depth: float = 0.0
    survey: tuple[float, ...] = ()
    statistics: tuple[Array, ...] = ()


class MergeMethod(BaseModel):
    """A merge method with its parameters: frozen data and one function, `curve`.

    `draw` in merging/weights.py is the only caller, and it takes care of what is the same for all methods: the
    precision, the way back to the stored dtype, that alpha 0 is the base, and that a tensor no tuned model has
    changed stays the base's. Parameters are named as in mergekit where they mean the same; docs/merging.md says where
    they do not.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        validate_by_name=True,
    )

    name: ClassVar[str]
    """Its name in the catalogue."""
    fewest: ClassVar[int] = 1
    """Tuned models that it needs at least."""
    most: ClassVar[int | None] = None
    """Tuned models that it takes at most; None: any number."""
    statistic: ClassVar[Statistic | None] = None
    """What has to be measured of each tuned model beforehand; None: nothing."""
    proviso: ClassVar[str] = ""
    """What the tensors themselves make of `sizes`, to be said after the numbers; empty where they change nothing."""

    @abstractmethod
    def curve(self, base: Array, tuned: Sequence[Array], spot: Spot) -> Curve:
        """Draws the curve of one tensor.

        Args:
            base: θ0, in fp32 or fp64; not changed.
            tuned: The θ'_k, of the shape and dtype of `base`, at least one of them other than it; not changed.
            spot: Where the tensor sits.

        Returns:
            alpha → θ̂, of the same shape and dtype. Any finite alpha is allowed; outside [0, 1] it extrapolates.
        """

    def survey(self, whole: Sequence[Whole]) -> tuple[float, ...]:
        """Looks at whole models before any curve is drawn; most methods have no need to.

        Args:
            whole: One walk over all merged tensors per tuned model; each may be walked several times.
        """
        del whole
        return ()

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns how much of each of `count` task vectors an alpha of 1 adds, but for `proviso`."""
        return (1.0,) * count

    def wrong_count(self, count: int) -> str | None:
        """Says that the method can't merge `count` tuned models, None when it can."""
        if self.fewest <= count and (self.most is None or count <= self.most):
            return None
        wanted = f"exactly {self.fewest}" if self.fewest == self.most else f"at least {self.fewest}"
        return f"must be {wanted} for {self.name}, got {count}"

    def problems(self, count: int) -> list[str]:
        """Says which parameters can't be so for `count` tuned models; each begins with the parameter's name."""
        del count
        return []


class WeightedMethod(MergeMethod):
    """A method that weighs each task vector."""

    weight: Weight = (1.0,)
    """How much of each task vector is added at alpha 1: one number for all tuned models, or one for each. A negative
    one takes the task away."""

    def weights(self, count: int) -> tuple[float, ...]:
        """Returns the weight of each of `count` tuned models."""
        return weight_of_each(self.weight, count)

    def sizes(self, count: int) -> tuple[float, ...]:
        """Returns the weight of each tuned model."""
        return self.weights(count)

    def problems(self, count: int) -> list[str]:
        """Says what stands against merging `count` tuned models so."""
        return wrong_weights(self.weight, count)
