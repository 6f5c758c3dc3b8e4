"""What a merge with statistics has to measure, and on what: known before any audio is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.engines.merge.sources import Sources, manifest_folders, own_run
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.errors import RequestError
from speechft_cli.io.hashes import file_hash
from speechft_cli.merging.statistic import Statistic


@dataclass(frozen=True)
class Measurement:
    """What is measured of the tuned models.

    Attributes:
        statistic: Which kind.
        data: Of each tuned model the folder of the manifests.
        record: What merge.json says of it: all that decides what comes out, besides the models' weights. A list has
            something for each tuned model.
        heads: Of each tuned model the folder with its head; empty when no labels are needed.
    """

    statistic: Statistic
    data: Sequence[Path]
    record: Mapping[str, object]
    heads: Sequence[Path]

    def size(self, sources: Sources) -> int:
        """Returns how many bytes the statistics of all tuned models take at most."""
        return self.statistic.size(sources.base.arrays, sources.plan.merged) * len(sources.tuned)

    def key(self, number: int, weights_hash: str, with_cnn: bool) -> str:
        """Returns what names the statistics of one tuned model."""
        lists = {name: each[number] for name, each in self.record.items() if isinstance(each, list)}
        record = {**self.record, **lists, "weights_sha256": weights_hash, "with_cnn": with_cnn}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def measurement(config: Config, sources: Sources, ways: Sequence[Variant]) -> dict[str, Measurement]:
    """Returns merge method → what it wants to be measured; no audio and no number was read.

    Raises:
        RequestError: There are no manifests, or the method needs a head that a tuned model has not; names all of those.
    """
    section = config.merge or MergeSection()
    wanted = {way.method.name: way.method.statistic for way in ways if way.method.statistic is not None}
    if section.data and not wanted and section.greedy is None:
        raise RequestError(
            "merge.data: is for merge.greedy and for methods that measure (fisher, regmean), which are absent",
            "leave out --data",
        )
    if not wanted:
        return {}
    from speechft_cli.data.manifests.folder import read_manifest
    from speechft_cli.data.manifests.prepared import data_hash

    data, bounds = manifest_folders(config, sources), _lengths(config, sources)
    for each in dict.fromkeys(data):
        read_manifest(each, section.statistics.split)  # says what is missing and how to make it
    record = {
        "data_sha256": [data_hash(each) for each in data],
        "split": section.statistics.split,
        "utterances": section.statistics.utterances,
        "min_seconds": [least for least, _ in bounds],
        "max_seconds": [greatest for _, greatest in bounds],
        "seed": config.seed,
    }
    found = {}
    for name, statistic in wanted.items():
        heads = _heads(name, sources) if statistic.needs_labels else []
        own = {"heads_sha256": [file_hash(each / "heads.pt") for each in heads]} if heads else {}
        found[name] = Measurement(statistic, data, {"kind": statistic.name, **record, **own}, heads)
    return found


def _lengths(config: Config, sources: Sources) -> list[tuple[float, float]]:
    """Returns for each tuned model the least and the greatest length of what it is measured on [s].

    They are those of the section `finetune`; where it is absent, those of the model's own run.
    """
    if config.finetune is not None:
        return [(config.finetune.min_seconds, config.finetune.max_seconds)] * len(sources.tuned)
    return [_own_lengths(each) for each in sources.tuned]


def _own_lengths(tuned: EncoderCheckpoint) -> tuple[float, float]:
    default, folder = FinetuneSection(), own_run(tuned)
    if folder is not None:
        try:
            own = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["finetune"]
            return float(own["min_seconds"]), float(own["max_seconds"])
        except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
            raise RequestError(
                f"{folder / 'config.yaml'}: can't be read: {error!r}",
                f"--set finetune.min_seconds={default.min_seconds:g} says in its place what is measured",
            ) from error
    return default.min_seconds, default.max_seconds


def _heads(method: str, sources: Sources) -> list[Path]:
    from speechft_cli.tasks.hubert import HUBERT
    from speechft_cli.training.best import kept_heads

    folders, problems = [], []
    for each in sources.tuned:
        assert each.path is not None  # it was read from there
        kept = kept_heads(each.path.parent)
        if not kept:
            problems.append(
                f"{each.path}: must lie in a run folder of speechft with its head (heads.pt), has none beside"
            )
        elif HUBERT.name in kept:
            problems.append(f"{each.path}: must be tuned on a task with labels in the manifests, was on {HUBERT.name}")
        folders.append(each.path.parent)
    if problems:
        raise RequestError(
            "\n".join(problems),
            f"{method} needs the loss that each model was tuned with; regmean needs none, only speech",
        )
    return folders
