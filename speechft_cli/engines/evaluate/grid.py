"""The merged encoders of a grid, made in memory when their turn comes instead of being read from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.engines.merge.sources import Sources, read_sources, tuned_paths
from speechft_cli.engines.merge.variants import Variant, variants
from speechft_cli.errors import SpeechftError
from speechft_cli.events import Report
from speechft_cli.io.arrays import Array
from speechft_cli.merging.weights import draw, not_finite
from speechft_cli.probing.candidates import Candidate, ends


def grid_candidates(config: Config, report: Report) -> list[Candidate]:
    """Returns the base, the tuned encoders, and what `merge` would make of them.

    Args:
        config: Its `merge` section says what is merged and how, as for `speechft merge`.
        report: Hears of the download of an encoder that is named.

    Raises:
        RequestError: Something can't be read or does not fit together.
        ConfigError: A method or a parameter is wrong.
    """
    section = config.merge or MergeSection()
    ways = variants(section, len(tuned_paths(config)), seed=config.seed)
    sources = read_sources(config, report)
    found = ends(_path(sources.base), [_path(each) for each in sources.tuned])
    for variant in ways:
        curve = _Curve(variant, sources, section.weight_norm == "effective")
        way = "".join(f"{part}/" for part in variant.folder.parts)
        found += [
            Candidate(
                label=f"{way}alpha-{alpha_name(alpha)}",
                path=_path(sources.base),
                alpha=alpha,
                method=variant.method.name,
                make=partial(curve.at, alpha),
            )
            for alpha in sorted(section.chosen_alphas)
        ]
    return found


@dataclass(frozen=True)
class _Curve:
    """One way from base to tuned through weight space, drawn when it is first needed."""

    variant: Variant
    sources: Sources
    whole_kernels: bool

    @cached_property
    def weights_at(self) -> Callable[[float], Mapping[str, Array]]:
        """Alpha → the weights there."""
        return draw(
            self.variant.method,
            self.sources.base.arrays,
            [each.arrays for each in self.sources.tuned],
            self.sources.plan,
            filters=self.variant.filters,
            whole_kernels=self.whole_kernels,
        )

    def at(self, alpha: Decimal) -> EncoderCheckpoint:
        """Returns the merged encoder.

        Raises:
            SpeechftError: It has a NaN or an infinity.
        """
        weights = self.weights_at(float(alpha))
        broken = not_finite(weights, weights)
        if broken:
            raise SpeechftError(
                f"alpha {alpha_name(alpha)}: must be finite, has NaN or Inf in {', '.join(broken[:5])}",
                "leave this alpha out",
            )
        return self.sources.base.with_weights(Tensors(weights))


def _path(checkpoint: EncoderCheckpoint) -> Path:
    assert checkpoint.path is not None  # it was read from there
    return checkpoint.path
