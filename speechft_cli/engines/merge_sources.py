"""What a merge starts from: found, read, checked and named by its hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.encoder import DEFAULT_FAMILY
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.run_folder import read_run
from speechft_cli.merging.plan import MergePlan, plan_merge
from speechft_cli.merging.weights import distances, not_finite, total

_NAMES_SHOWN = 10


@dataclass(frozen=True)
class Sources:
    """A base and the models tuned from it, which fit together and hold only finite numbers.

    Attributes:
        base: θ0, with its configuration.
        tuned: The θ'_k.
        plan: What is merged and what is kept.
        distances: Name → distance from the base for each tuned model, over the merged tensors.
        lineage: Path and hashes of the base, then of each tuned model, as merge.json records them.
    """

    base: EncoderCheckpoint
    tuned: Sequence[EncoderCheckpoint]
    plan: MergePlan
    distances: Sequence[Mapping[str, float]]
    lineage: Sequence[Mapping[str, object]]

    @property
    def size(self) -> int:
        """Bytes of a merged model's weights, which have the base's shapes and dtypes."""
        return sum(tensor.nbytes for tensor in self.base.weights.values())

    @property
    def tuned_distance(self) -> float:
        """Mean distance of the tuned models from the base."""
        return sum(total(each.values()) for each in self.distances) / len(self.distances)


def read_sources(config: Config, report: Report) -> Sources:
    """Reads the base and the tuned models that a config names or its fine-tuning run has made.

    Raises:
        RequestError: One can't be found or read, or they don't fit together.
        SpeechftError: One holds a NaN or an infinity.
    """
    section = config.merge or MergeSection()
    named = config.encoder.family if config.encoder is not None else None
    family = None if named is None else ENCODERS.get(named)
    base_path = _base_path(config, section, family or ENCODERS.get(DEFAULT_FAMILY))
    tuned_paths = _tuned_paths(config, section)
    base = read_encoder(base_path, family)
    family = base.family
    if not base.is_complete:
        raise RequestError(
            f"{base.path}: has weights but no configuration, so it can't be a base",
            f"merge.base must be an s3prl converted checkpoint, such as {family.published}",
        )
    tuned = [read_encoder(path, family) for path in tuned_paths]
    plan = plan_merge(base.weights, [(str(each.path), each.weights) for each in tuned], is_kept=family.is_kept)
    check_finite(str(base.path), base.weights, base.weights)
    for each in tuned:
        check_finite(str(each.path), each.weights, plan.merged)
    far = [distances(each.weights, base.weights, plan.merged) for each in tuned]
    lineage = []
    report(Started("hashing checkpoints", 1 + len(tuned), "files"))
    for count, each in enumerate((base, *tuned), start=1):
        lineage.append(_lineage(each))
        report(Advanced(count, str(each.path)))
    report(Finished())
    for path, distance in zip(tuned_paths, far, strict=True):
        _tell_doubts(path, total(distance.values()), lineage[0], report)
    return Sources(base, tuned, plan, far, lineage)


def check_finite(where: str, weights: Mapping[str, Tensor], names: Iterable[str]) -> None:
    """Makes sure that the float tensors called `names` hold only finite numbers.

    Raises:
        SpeechftError: They don't; says `where` and which.
    """
    broken = not_finite(weights, names)
    if broken:
        more = f" and {len(broken) - _NAMES_SHOWN} more" if len(broken) > _NAMES_SHOWN else ""
        raise SpeechftError(f"{where}: must be finite, has NaN or Inf in {', '.join(broken[:_NAMES_SHOWN])}{more}")


def _base_path(config: Config, section: MergeSection, family: EncoderFamily) -> Path:
    if section.base is not None:
        return section.base
    if config.encoder is not None and config.encoder.checkpoint is not None:
        return config.encoder.checkpoint
    recorded = _recorded_base(config.run_dir)
    if recorded is not None:
        return Path(str(recorded["path"]))
    raise RequestError(
        "merge.base: must name the checkpoint that was fine-tuned; neither is there an encoder.checkpoint, nor a "
        f"fine-tuning run in {config.run_dir}",
        f"the stock {family.name} is {family.published}: download it and set merge.base (--base; "
        "in a YAML of the published code: base_model_ckpt_path)",
    )


def _tuned_paths(config: Config, section: MergeSection) -> list[Path]:
    if section.tuned:
        return section.tuned
    if config.run_dir.is_dir():
        return [config.run_dir]
    raise RequestError(
        f"merge.tuned: must name a fine-tuned checkpoint; there is no fine-tuning run in {config.run_dir}",
        "speechft merge --tuned PATH names one, speechft finetune makes one",
    )


def _recorded_base(folder: Path) -> Mapping[str, object] | None:
    """What a fine-tuning run of ours says it started from; None when `folder` is no such run."""
    base = read_run(folder).get("base") if (folder / "run.json").is_file() else None
    return base if isinstance(base, dict) and "path" in base else None


def _lineage(checkpoint: EncoderCheckpoint) -> dict[str, object]:
    assert checkpoint.path is not None  # it was read from there
    path = checkpoint.path.resolve()
    return {"path": str(path), "sha256": file_hash(path), "weights_sha256": weights_hash(checkpoint.weights)}


def _tell_doubts(tuned: Path, distance: float, base: Mapping[str, object], report: Report) -> None:
    """Says what makes a merge pointless, or probably not what was meant; it is made all the same."""
    if distance == 0:
        report(Note(f"{tuned}: has the weights of the base, so there is nothing to merge", important=True))
    recorded = _recorded_base(tuned)
    if recorded is not None and recorded.get("weights_sha256") != base["weights_sha256"]:
        report(Note(f"{tuned}: was fine-tuned from {recorded['path']}, not from {base['path']}", important=True))
