"""What a merge starts from: found, opened, and checked to fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.encoder import DEFAULT_FAMILY
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats import read_encoder, require_there
from speechft_cli.encoders.local import name_of, named_facts, recorded_path
from speechft_cli.encoders.names import checkpoints, is_shipped
from speechft_cli.errors import RequestError
from speechft_cli.events import Report
from speechft_cli.io.run_folder import recorded_base, recorded_data
from speechft_cli.merging.plan import MergePlan, plan_merge


@dataclass(frozen=True)
class Sources:
    """A base and the models tuned from it, which fit together by names, shapes and dtypes. No number was read yet.

    Attributes:
        base: θ0, with its configuration.
        tuned: The θ'_k.
        plan: What is merged and what is kept.
        recorded_bases: Fine-tuning run of ours → what it says it started from.
    """

    base: EncoderCheckpoint
    tuned: Sequence[EncoderCheckpoint]
    plan: MergePlan
    recorded_bases: Mapping[Path, Mapping[str, object]]

    @property
    def size(self) -> int:
        """Bytes of a merged model's weights, which have the base's shapes and dtypes."""
        return sum(array.nbytes for array in self.base.arrays.values())

    def alone(self, tuned: EncoderCheckpoint) -> EncoderCheckpoint:
        """Returns a tuned model with the base's configuration and head, so that it can be built and written."""
        own = tuned.arrays
        weights = {name: own[name] if name in self.plan.merged else each for name, each in self.base.arrays.items()}
        return self.base.with_weights(Tensors(weights))

    def other_bases(self, weights_hash: str | None) -> Iterator[str]:
        """Says which tuned models were made from another base.

        Args:
            weights_hash: Of the base; None when it has not been read, so that only the path can tell.
        """
        for tuned, recorded in self.recorded_bases.items():
            path = str(recorded["path"])
            if weights_hash is not None:
                is_other = recorded.get("weights_sha256") != weights_hash
            else:
                is_other = Path(path).resolve() != Path(str(self.base.path)).resolve()
            if is_other:
                yield f"{tuned}: was fine-tuned from {path}, not from {self.base.path}"

    @property
    def license(self) -> str:
        """What the card beside the base, or its publisher, says of its licence; empty when that is not known."""
        path = Path(str(self.base.path))
        card = path.with_suffix(".md") if is_shipped(path) else path.parent / "README.md"
        if not card.is_file():
            name = name_of(path)
            published = checkpoints().get(name or "")
            return published.license if published is not None else ""
        found = re.match(r"---\n(?:.*\n)*?license:[ \t]*(\S+)[ \t]*\n", card.read_text("utf-8", errors="replace"))
        return found[1] if found else ""

    @property
    def files(self) -> list[dict[str, object]]:
        """Path, bytes and time of change of the base, then of each tuned model, as merge.json records them."""
        return [_file_facts(each) for each in (self.base, *self.tuned)]


def read_sources(config: Config, report: Report, *, trust: bool = False) -> Sources:
    """Opens the base and the tuned models that a config names or its fine-tuning run has made.

    Tensors are mapped from their files, so that only the headers are read.

    Args:
        config: Says which.
        report: Hears of the download of an encoder that is named.
        trust: Whether the files may execute code while they are read.

    Raises:
        RequestError: One can't be found or read, or they don't fit together.
    """
    section = config.merge or MergeSection()
    named = config.encoder.family if config.encoder is not None else None
    family = None if named is None else ENCODERS.get(named)
    base_path = _base_path(config, section, family or ENCODERS.get(DEFAULT_FAMILY))
    paths = tuned_paths(config)
    for path in paths:
        require_there(path)  # before a base that has a name is fetched
    base = read_encoder(base_path, family, trust=trust, check=False, report=report)
    family = base.family
    if not base.is_complete:
        raise RequestError(
            f"{base.path}: has weights but no configuration, so it can't be a base",
            f"merge.base must be an s3prl converted checkpoint, such as {family.stock}",
        )
    tuned = [read_encoder(path, family, trust=trust, check=False, report=report) for path in paths]
    _refuse_swapped(base_path, base, paths, tuned)
    plan = plan_merge(
        base.arrays,
        [(str(each.path), each.arrays) for each in tuned],
        is_kept=lambda name: base.family.is_kept(name) or _is_absent(name, base, tuned),
    )
    runs = [run for each in tuned if (run := own_run(each)) is not None]
    recorded = {run: found for run in runs if (found := recorded_base(run)) is not None}
    return Sources(base, tuned, plan, recorded)


def tuned_paths(config: Config) -> list[Path]:
    """Returns the tuned models that a config names, else the fine-tuning run it stands for.

    Raises:
        RequestError: There is none.
    """
    if config.merge is not None and config.merge.tuned:
        return config.merge.tuned
    if config.run_dir.is_dir():
        return [config.run_dir]
    raise RequestError(
        f"merge.tuned: must name a fine-tuned checkpoint; there is no fine-tuning run in {config.run_dir}",
        "--tuned PATH names one, speechft finetune makes one",
    )


def manifest_folder(config: Config) -> Path:
    """Returns the folder of the manifests that a merge uses where nothing better is known."""
    given = config.merge.data if config.merge is not None else []
    asked = given[0] if given else config.evaluate and config.evaluate.data
    return asked or config.data_dir


def manifest_folders(config: Config, sources: Sources) -> list[Path]:
    """Returns for each tuned model the folder of the manifests that it is measured on.

    Raises:
        RequestError: There are several, but not one for each.
    """
    given, count = config.merge.data if config.merge is not None else [], len(sources.tuned)
    if len(given) not in (0, 1, count):
        raise RequestError(f"merge.data: must be one folder, or one per tuned model ({count}), got {len(given)}")
    if len(given) == count:
        return list(given)
    return [(None if given else _own_manifests(each)) or manifest_folder(config) for each in sources.tuned]


def _own_manifests(tuned: EncoderCheckpoint) -> Path | None:
    """The manifests that a run of ours was fine-tuned on, while they are there."""
    folder = own_run(tuned)
    return None if folder is None else recorded_data(folder)


def own_run(model: EncoderCheckpoint) -> Path | None:
    """Returns the folder of the run of ours that a model comes from, which is not what lies in the run's `base`."""
    assert model.path is not None  # it was read from there
    folder = model.path.parent
    folders = (folder,) if folder.name == "base" else (folder, folder.parent)
    return next((each for each in folders if (each / "run.json").is_file()), None)


def _is_absent(name: str, base: EncoderCheckpoint, tuned: Sequence[EncoderCheckpoint]) -> bool:
    """Whether some file lacks a weight that only pre-training uses, as a model for CTC may lack the mask embedding."""
    lacks = any(name not in each.weights or name in each.filled for each in (base, *tuned))
    return lacks and base.family.is_untrained(name)


def _base_path(config: Config, section: MergeSection, family: EncoderFamily) -> Path:
    if section.base is not None:
        return section.base
    if config.encoder is not None and config.encoder.checkpoint is not None:
        return config.encoder.checkpoint
    if (recorded := recorded_base(config.run_dir)) is not None:
        return recorded_path(recorded)
    raise RequestError(
        "merge.base: must name the checkpoint that was fine-tuned; neither is there an encoder.checkpoint, nor a "
        f"fine-tuning run in {config.run_dir}",
        f"the stock {family.name} is {family.stock}: set merge.base to it (--base {family.stock})",
    )


def _refuse_swapped(
    base_path: Path, base: EncoderCheckpoint, paths: Sequence[Path], tuned: Sequence[EncoderCheckpoint]
) -> None:
    """Refuses a base that is a run of ours which began with one of the tuned models.

    Raises:
        RequestError: It is.
    """
    run = own_run(base)
    recorded = None if run is None else recorded_base(run)
    if recorded is None:
        return
    for path, model in zip(paths, tuned, strict=True):
        if Path(str(recorded["path"])).resolve() == Path(model.where).resolve():
            raise RequestError(
                f"merge.base: must be what the tuned model was fine-tuned from; {base_path} was fine-tuned from {path}",
                f"the other way round: --base {path} --tuned {base_path}",
            )


def _file_facts(checkpoint: EncoderCheckpoint) -> dict[str, object]:
    assert checkpoint.path is not None  # it was read from there
    path = checkpoint.path.resolve()
    state = path.stat()
    return {
        "path": str(path),
        **named_facts(checkpoint.path),
        "bytes": state.st_size,
        "changed_ns": state.st_mtime_ns,
    }
