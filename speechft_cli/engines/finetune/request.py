"""What a fine-tuning run is asked to do, checked before the first file is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.encoder import DEFAULT_FAMILY
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.audio import require_audio
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.manifests.prepared import data_hash
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.engines.device import require_gpus
from speechft_cli.engines.finetune.jobs import CheckedJob, check_jobs
from speechft_cli.engines.finetune.resuming import require_same_base, require_same_data, require_same_settings
from speechft_cli.errors import RequestError
from speechft_cli.events import Report
from speechft_cli.io.merge_folder import RECORD
from speechft_cli.merging.filters import layer_of
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import Strategy, StrategySettings


@dataclass(frozen=True)
class FinetuneRequest:
    """Everything that is known before the first file is written.

    Attributes:
        config: Of the experiment; with a section `finetune`, so that no later default can change the run.
        section: That section.
        base: θ0.
        data: The manifest folder.
        data_sha256: Of the manifests.
        checked: Every task with its data.
        strategy: How the encoder is fine-tuned.
        schedule: Who trains when, at which rate.
        trains_cnn: Whether the CNN trains once the encoder does.
        units_encoder: Whose features masked prediction clusters; None: MFCCs, or there is no masked prediction.
    """

    config: Config
    section: FinetuneSection
    base: EncoderCheckpoint
    data: Path
    data_sha256: str
    checked: list[CheckedJob]
    strategy: Strategy
    schedule: StableSchedule
    trains_cnn: bool
    units_encoder: EncoderCheckpoint | None

    @property
    def is_masked(self) -> bool:
        """Whether one of the tasks hides frames."""
        return any(each.job.masking is not None for each in self.checked)

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return [each.job.task.name for each in self.checked]


def require_free(folder: Path) -> None:
    """Makes sure that a run may begin in a folder.

    Raises:
        RequestError: It holds one already, or a merge.
    """
    if (folder / "run.json").exists():
        raise RequestError(
            f"{folder}: holds a fine-tuning run already",
            "speechft finetune --resume goes on with it; finetune.out or --out chooses another folder",
        )
    if (folder / RECORD).exists():
        raise RequestError(
            f"{folder}: must be a folder of its own, holds a merge", "finetune.out or --out chooses another"
        )


def check_request(config: Config, report: Report, *, resume_from: Path | None) -> FinetuneRequest:
    """Reads and checks everything a run needs; writes nothing.

    Args:
        config: Needs `encoder`; `finetune` and `prepare` have defaults.
        report: Hears of the download of an encoder that is named.
        resume_from: Run folder to go on with.

    Raises:
        RequestError: Something asked for can't be.
    """
    section = config.finetune or FinetuneSection()
    config = config.model_copy(update={"finetune": section})
    if resume_from is not None:
        require_same_settings(config, resume_from)
    strategy = _strategy(section)
    data = section.data or config.data_dir
    require_gpus(section.device, section.gpus)
    if section.trackers:
        from speechft_cli.training.trackers import require_trackers

        require_trackers(section.trackers)
    read_manifest(data, "train")  # what is missing here is said before an encoder that has a name is fetched
    base = _base(config, resume_from, report)
    if section.train_cnn and not base.family.cnn_prefixes:
        raise RequestError(
            f"finetune.train_cnn: must be false for {base.family.name}, which has no CNN, got true",
            "leave it out: all of this encoder trains",
        )
    if section.train_cnn and strategy.starts_from_base:
        raise RequestError(
            f"finetune.train_cnn: must be false for {strategy.name}, which trains its adapters alone, got true",
            "leave it out, or take another strategy: speechft list strategies",
        )
    checked = check_jobs(section, data, base)
    schedule = StableSchedule(
        steps=section.steps,
        frozen_share=section.frozen_share if strategy.has_head_phase else 0.0,
        warmup_share=section.warmup_share,
        hold_share=section.hold_share,
        end_share=strategy.end_share,
    )
    for each in checked:
        for utterances in (each.job.train, each.job.dev):
            require_audio(utterances[0])  # one of each says whether the recordings were moved
    data_sha256 = data_hash(data)
    if resume_from is not None:
        require_same_data(data, data_sha256, resume_from)
    is_masked = any(each.job.masking is not None for each in checked)
    from_scratch = is_masked and config.encoder is not None and config.encoder.init is not None
    trains_all = from_scratch and not strategy.starts_from_base
    return FinetuneRequest(
        config,
        section,
        base,
        data,
        data_sha256,
        checked,
        strategy,
        schedule,
        trains_cnn=trains_all if section.train_cnn is None else section.train_cnn,
        units_encoder=_units_encoder(section, base, report) if is_masked else None,
    )


def _strategy(section: FinetuneSection) -> Strategy:
    settings = StrategySettings(
        l2sp_weight=section.l2sp_weight,
        lora_rank=section.lora_rank,
        lora_alpha=section.lora_alpha,
        lora_targets=tuple(section.lora_targets),
        early_share=section.early_share,
    )
    return STRATEGIES.get(section.strategy)(settings)


def _units_encoder(section: FinetuneSection, base: EncoderCheckpoint, report: Report) -> EncoderCheckpoint | None:
    if section.units.layer is None:
        if section.units.encoder is not None:
            raise RequestError(
                "finetune.units.layer: must say which layer of finetune.units.encoder is clustered",
                "HuBERT base took layer 6 in its second round: --set finetune.units.layer=6",
            )
        return None
    named = section.units.encoder
    encoder = base if named is None else read_encoder(named, base.family, report=report)
    encoder.require_complete("it can't be run")
    # hidden state 0 is what goes into layer 0
    last = 1 + max(layer for name in encoder.weights if (layer := layer_of(name)) is not None)
    if section.units.layer > last:
        raise RequestError(
            f"finetune.units.layer: must be at most {last}, the encoder's last, got {section.units.layer}"
        )
    return encoder


def _base(config: Config, resume_from: Path | None, report: Report) -> EncoderCheckpoint:
    encoder = config.encoder
    if encoder is None or (encoder.checkpoint is None and encoder.init is None):
        raise RequestError(
            "encoder.checkpoint: must name the pre-trained encoder to start from",
            "speechft list checkpoints shows those with a name; encoder.init: random starts from random weights",
        )
    family = None if encoder.family is None else ENCODERS.get(encoder.family)
    if encoder.checkpoint is None:
        return random_checkpoint(family or ENCODERS.get(DEFAULT_FAMILY), encoder.size, seed=config.seed)
    base = read_encoder(encoder.checkpoint, family, report=report)
    base.require_complete("it can't be a base")
    if resume_from is not None:
        require_same_base(encoder.checkpoint, base, resume_from)
    return base
