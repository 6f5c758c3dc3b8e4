"""Merging: base + tuned → one checkpoint per alpha."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import cast

from torch import Tensor

from speechft_cli import __version__
from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders.formats import converted
from speechft_cli.engines.merge_method import configured
from speechft_cli.engines.merge_sources import Sources, check_finite, read_sources
from speechft_cli.errors import RequestError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started, Table
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.merge_folder import RECORD, find_conflict, is_done, read_merge, write_merge
from speechft_cli.io.space import require_space, size_text
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.merging.plan import BUFFER, HEAD
from speechft_cli.merging.weights import distances, draw, total

#: More models than this make no command that anybody would paste.
_MODELS_SUGGESTED = 6


@dataclass(frozen=True)
class _Target:
    """One checkpoint to write: its folder, and what merge.json will say."""

    alpha: Decimal
    folder: Path
    record: Mapping[str, object]
    is_done: bool

    @property
    def name(self) -> str:
        return alpha_name(self.alpha)


def run(config: Config, report: Report, *, plan_only: bool = False) -> Result:
    """Merges tuned encoders with their base, one checkpoint per alpha.

    One `alpha` writes into the output folder itself, beside whatever lies there; `alphas` write into `alpha-<a>/`
    each. Every folder gets a merge.json that says what its checkpoint was made of. A merge that is there already is
    not made again, so an interrupted run goes on where it was. A folder that holds another merge (of another alpha,
    say), or a file of the checkpoint's name that merge did not write, is refused: a folder never holds the
    checkpoint of one request and the record of another, and nobody's file is overwritten.

    Args:
        config: No section is needed; what isn't named comes from the fine-tuning run of the same config.
        report: Told what happens.
        plan_only: Check everything, say what would be done to which tensors, and write nothing.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: A NaN or a full disk; the alphas that were finished stay.
    """
    section = config.merge or MergeSection()
    sources = read_sources(config, report)
    method = configured(section, len(sources.tuned), seed=config.seed)
    targets = _targets(config, section, method, sources)
    require_space(config.merge_dir, sources.size * sum(not target.is_done for target in targets))
    if plan_only:
        report(_plan_table(sources))
        count = sum(not target.is_done for target in targets)
        return Result(
            f"merged encoders to write: {count} of {size_text(sources.size)} each; nothing was written",
            str(config.merge_dir),
            "the same command without --plan",
            _data(section, sources, [_planned(target) for target in targets]),
        )
    _merge(method, sources, targets, report)
    outputs = [_outcome(target) for target in targets]
    report(_table(outputs))
    there = sum(target.is_done for target in targets)
    return Result(
        f"merged encoders written: {len(targets) - there}, there already: {there}",
        str(config.merge_dir),
        _next_command(config, sources, targets),
        _data(section, sources, outputs),
    )


def _targets(config: Config, section: MergeSection, method: MergeMethod, sources: Sources) -> list[_Target]:
    targets, conflicts = [], []
    for alpha in section.chosen_alphas:
        folder = config.merge_dir / f"alpha-{alpha_name(alpha)}" if section.is_grid else config.merge_dir
        record = {
            "speechft": __version__,
            "family": sources.base.family.name,
            "method": method.name,
            "paper": METHODS.entry(section.method).source,
            "parameters": method.model_dump(mode="json", by_alias=True),
            "alpha": float(alpha),
            "base": sources.lineage[0],
            "tuned": sources.lineage[1:],
            "kept": dict(sources.plan.kept),
            "output": {"file": section.file_name},
        }
        conflict = find_conflict(folder, record)
        if conflict:
            conflicts.append(conflict)
        else:
            targets.append(_Target(alpha, folder, record, is_done(folder, record)))
    if conflicts:
        raise RequestError("\n".join(conflicts), "choose another --out (merge.out), or remove what is there")
    return targets


def _merge(method: MergeMethod, sources: Sources, targets: Sequence[_Target], report: Report) -> None:
    report(Started("merging", len(targets), "alphas"))
    weights_at = draw(method, sources.base.weights, [each.weights for each in sources.tuned], sources.plan)
    for count, target in enumerate(targets, start=1):
        if target.is_done:
            report(Note(f"alpha {target.name}: is there already, in {target.folder}"))
        else:
            if (target.folder / RECORD).exists():
                text = "checkpoint is missing or not what was written, so it is made again"
                report(Note(f"{target.folder}: {text}", important=True))
            _write(target, weights_at(float(target.alpha)), sources)
        report(Advanced(count, f"alpha {target.name}"))
    report(Finished())


def _write(target: _Target, weights: Mapping[str, Tensor], sources: Sources) -> None:
    check_finite(f"alpha {target.name}", weights, sources.plan.merged)
    output = {
        **cast("Mapping[str, object]", target.record["output"]),
        "weights_sha256": weights_hash(weights),
        "distance": total(distances(weights, sources.base.weights, sources.plan.merged).values()),
        "tuned_distance": sources.tuned_distance,
    }
    record = {**target.record, "output": output, "created": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    write_merge(target.folder, record, partial(converted.save, sources.base.with_weights(weights)))


def _planned(target: _Target) -> dict[str, object]:
    status = "skip" if target.is_done else "write"
    return {"alpha": float(target.alpha), "folder": str(target.folder), "status": status}


def _outcome(target: _Target) -> dict[str, object]:
    output = cast("Mapping[str, object]", read_merge(target.folder)["output"])
    status = "skipped" if target.is_done else "written"
    return {"alpha": float(target.alpha), "folder": str(target.folder), "status": status, **output}


def _data(section: MergeSection, sources: Sources, outputs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    plan = sources.plan
    return {
        "method": section.method,
        "base": sources.lineage[0],
        "tuned": sources.lineage[1:],
        "merged": len(plan.merged),
        "unchanged": len(_unchanged(sources)),
        "kept": dict(plan.kept),
        "bytes": sources.size,
        "outputs": list(outputs),
    }


def _unchanged(sources: Sources) -> list[str]:
    """Names of merged tensors that fine-tuning left alone, as it does the CNN: any alpha gives the base's."""
    return [name for name in sources.plan.merged if all(distance[name] == 0 for distance in sources.distances)]


def _plan_table(sources: Sources) -> Table:
    plan, unchanged = sources.plan, _unchanged(sources)
    groups = [
        ("merge", "", [name for name in plan.merged if name not in unchanged]),
        ("merge", "same in base and tuned", unchanged),
        *(("keep the base's", why, [name for name in plan.kept if plan.kept[name] == why]) for why in (HEAD, BUFFER)),
    ]
    rows = [
        (action, why, str(len(names)), size_text(sum(sources.base.weights[name].nbytes for name in names)))
        for action, why, names in groups
        if names
    ]
    return Table("Plan", ("action", "because", "tensors", "size"), tuple(rows))


def _table(outputs: Sequence[Mapping[str, object]]) -> Table:
    rows = []
    for output in outputs:
        distance, tuned_distance = float(str(output["distance"])), float(str(output["tuned_distance"]))
        share = f"{distance / tuned_distance:.4f}" if tuned_distance else "-"
        path = str(Path(str(output["folder"])) / str(output["file"]))
        rows.append((alpha_name(Decimal(str(output["alpha"]))), share, size_text(int(str(output["bytes"]))), path))
    return Table(
        "Merged encoders; distance from the base, where the tuned model's is 1",
        ("alpha", "distance", "size", "path"),
        tuple(rows),
    )


def _next_command(config: Config, sources: Sources, targets: Sequence[_Target]) -> str:
    if len(targets) > _MODELS_SUGGESTED:
        return "speechft evaluate --help"
    file_name = (config.merge or MergeSection()).file_name
    # a folder stands for its encoder.pt, and gives the model its label
    merged = [each.folder if file_name == "encoder.pt" else each.folder / file_name for each in targets]
    models = [part for path in (f"base={sources.base.path}", *merged) for part in ("--model", str(path))]
    data = str(config.data_dir) if config.data_dir.is_dir() else "MANIFESTS"
    return shlex.join(["speechft", "evaluate", *models, "--data", data, "--task", "sid"])
