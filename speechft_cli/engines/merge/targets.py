"""The checkpoints that a merge writes: their folders and records, and what stands in their way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from speechft_cli import __version__
from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders import FORMATS
from speechft_cli.engines.merge.measurement import Measurement
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.errors import RequestError
from speechft_cli.io.merge_folder import CARD, RECORD, find_conflict
from speechft_cli.merging import METHODS


@dataclass(frozen=True, eq=False)
class Target:
    """One checkpoint to write.

    Attributes:
        variant: How it is merged.
        alpha: How far.
        folder: Where it goes.
        record: What merge.json will say; of its output only what is known beforehand.
        files: Format → name in the folder.
    """

    variant: Variant
    alpha: Decimal
    folder: Path
    record: Mapping[str, object]
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """What to call it: `alpha 0.25`, `ties alpha 0.25`."""
        return " ".join([*self.variant.folder.parts, "alpha", alpha_name(self.alpha)])

    @property
    def has_record(self) -> bool:
        """Whether its folder holds the record of this very merge: `targets` refuses a folder with another one."""
        return (self.folder / RECORD).exists()


def targets(
    config: Config,
    variants: Sequence[Variant],
    sources: Sources,
    hashes: Sequence[str] | None,
    measurements: Mapping[str, Measurement],
) -> list[Target]:
    """Returns what is to be written, in order.

    Args:
        config: Says where to.
        variants: Ways to merge.
        sources: What is merged.
        hashes: Of the weights of the base, then of each tuned model; None when they have not been read.
        measurements: Merge method → what it asks to be measured.

    Raises:
        RequestError: A folder holds something else; names all of them.
    """
    section = config.merge or MergeSection()
    files = _files(section)
    lineage = [
        facts if hashes is None else {**facts, "weights_sha256": hashes[number]}
        for number, facts in enumerate(sources.files)
    ]
    found, conflicts = [], []
    for variant in variants:
        for alpha in section.chosen_alphas:
            folder = config.merge_dir / variant.folder
            if section.is_grid:
                folder /= f"alpha-{alpha_name(alpha)}"
            record: dict[str, object] = {
                "speechft": __version__,
                "family": sources.base.family.name,
                "method": variant.method.name,
                "paper": METHODS.entry(variant.method.name).source,
                "parameters": variant.method.model_dump(mode="json", by_alias=True),
                "filters": [each.model_dump(mode="json", exclude_defaults=True) for each in section.filters],
                "weight_norm": section.weight_norm,
                "alpha": float(alpha),
                "effective_alpha": [float(alpha) * size for size in variant.method.sizes(len(sources.tuned))],
                "base": lineage[0],
                "tuned": lineage[1:],
                "kept": dict(sources.plan.kept),
                "output": {"file": next(iter(files.values())), "formats": list(files)},
            }
            if variant.method.name in measurements:
                record["statistics"] = measurements[variant.method.name].record
            conflict = find_conflict(folder, record, [*files.values(), CARD], is_read=hashes is not None)
            if conflict:
                conflicts.append(conflict)
            found.append(Target(variant, alpha, folder, record, files))
    if conflicts:
        raise RequestError("\n".join(conflicts), "choose another --out (merge.out), or remove what is there")
    return found


def _files(section: MergeSection) -> dict[str, str]:
    stem = section.file_name.removesuffix(".pt")
    return {
        name: section.file_name if name == "s3prl" else f"{stem}{FORMATS.get(name).ending}" for name in section.formats
    }
