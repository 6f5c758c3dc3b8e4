"""Merging: base + tuned → one checkpoint per alpha."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders import FORMATS
from speechft_cli.encoders.formats import encoder_in
from speechft_cli.encoders.local import name_of
from speechft_cli.engines.merge.measurement import Measurement, measurement
from speechft_cli.engines.merge.sources import Sources, read_sources, tuned_paths
from speechft_cli.engines.merge.statistics import measure
from speechft_cli.engines.merge.suggestion import suggested_task
from speechft_cli.engines.merge.survey import survey
from speechft_cli.engines.merge.tables import described, memory_needed, outcome_table, plan_keys, tell_plan
from speechft_cli.engines.merge.targets import Target, targets
from speechft_cli.engines.merge.variants import Variant, unused_filters, variants
from speechft_cli.engines.merge.write import Writer
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started
from speechft_cli.io.ahead import in_order
from speechft_cli.io.lock import locked
from speechft_cli.io.merge_folder import is_done, read_merge, remove_leftovers
from speechft_cli.io.run_folder import read_run, recorded_data
from speechft_cli.io.space import require_space, size_text

#: More models than this make no command that anybody would paste.
_MODELS_SUGGESTED = 6
_STOPPED = "interrupted; the alphas that are finished stay, and the same command goes on from there"


@stoppable(_STOPPED)
def run(config: Config, report: Report, *, plan_only: bool = False, trust: bool = False) -> Result:
    """Merges tuned encoders with their base, one checkpoint per alpha.

    One `alpha` writes into the output folder itself, beside whatever lies there; `alphas` write into `alpha-<a>/`
    each; several methods or lists of weights have a folder each above that. Every folder gets a merge.json that says
    what its checkpoint was made of, and a model card. A merge that is there already is not made again, so an
    interrupted run goes on where it was. A folder that holds another merge (of another alpha, say), or a file of the
    checkpoint's name that merge did not write, is refused: a folder never holds the checkpoint of one request and the
    record of another, and nobody's file is overwritten.

    Args:
        config: No section is needed; what isn't named comes from the fine-tuning run of the same config.
        report: Told what happens.
        plan_only: Check everything that headers tell, say what would be done to which tensors, and write nothing.
        trust: Whether the checkpoints may execute code while they are read; no config can say so.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: A NaN or a full disk; the alphas that were finished stay.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP arrived.
    """
    section = config.merge or MergeSection()
    # what is wrong with a method is said before a base that has a name is fetched
    ways = variants(section, len(tuned_paths(config)), seed=config.seed, can_measure=True)
    sources = read_sources(config, report, trust=trust)
    _check(section, sources, ways)
    asked = measurement(config, sources, ways)
    if plan_only:
        return _plan(config, section, sources, ways, asked, report)
    # what stands in the way is said before gigabytes are read
    wanted = targets(config, ways, sources, None, asked)
    new = [target for target in wanted if not target.has_record]
    require_space(config.merge_dir, _size(section, sources) * len(new))
    known = survey(sources, report, allow_unrelated=section.allow_unrelated)
    for doubt in sources.other_bases(known.hashes[0]):
        report(Note(doubt, important=True))
    facts: dict[str, object] = {"license": section.license or sources.license}
    with locked(config.merge_dir, leave_nothing=True):
        if section.greedy is not None:
            from speechft_cli.engines.merge.soup import choose, scratch_size  # which needs torch

            count = len(ways) * len(section.chosen_alphas)
            require_space(config.merge_dir, scratch_size(sources) + _size(section, sources) * count)
            soup = choose(config, sources, section.greedy, report)
            sources, known, facts = soup.sources, known.of(soup.kept), {**facts, "soup": soup.record}
            ways = variants(section, len(sources.tuned), seed=config.seed, can_measure=True)
            asked = measurement(config, sources, ways)
        wanted = targets(config, ways, sources, known.hashes, asked)
        remove_leftovers(config.merge_dir, [target.folder for target in wanted])
        there = {target for target in wanted if is_done(target.folder)}
        missing = [target for target in wanted if target not in there]
        methods = {target.variant.method.name for target in missing}
        asked = {name: each for name, each in asked.items() if name in methods}
        size = sum(each.size(sources) for each in asked.values())
        require_space(config.merge_dir, size + _size(section, sources) * len(missing))
        measured = {
            name: measure(config, sources, each, known.hashes[1:], known.moved, report) for name, each in asked.items()
        }
        is_whole = section.weight_norm == "effective"
        writer = Writer(sources, known, missing, whole_kernels=is_whole, measured=measured)
        _write(writer, wanted, there, facts, report)
    outputs = [{**_outcome(target), "status": "skipped" if target in there else "written"} for target in wanted]
    report(outcome_table(outputs))
    return Result(
        f"merged encoders written: {len(missing)}, there already: {len(there)}",
        str(config.merge_dir),
        _next_command(config, sources, wanted),
        _data(section, sources, ways, outputs),
    )


def _write(
    writer: Writer, wanted: Sequence[Target], there: Collection[Target], facts: Mapping[str, object], report: Report
) -> None:
    """Writes the targets that are not there, and says how far it is."""
    report(Started("merging", len(wanted), "alphas"))
    for target in wanted:
        if target in there:
            report(Note(f"{target.name}: is there already, in {target.folder}"))
        elif target.has_record:
            text = "checkpoint is missing or not what was written, so it is made again"
            report(Note(f"{target.folder}: {text}", important=True))
    missing = [target for target in wanted if target not in there]
    # two at once: one is computed while the other waits for the disk
    job = in_order(lambda target: writer.write(target, facts), missing, workers=2)
    for number, (target, _) in enumerate(zip(missing, job, strict=True), start=1 + len(there)):
        report(Advanced(number, target.name))
    report(Finished())


def _check(section: MergeSection, sources: Sources, ways: Sequence[Variant]) -> None:
    """Refuses formats that can't hold the encoder, filters that match nothing, and a choice among one."""
    if section.greedy is not None and len(sources.tuned) < 2:
        raise RequestError(
            "merge.greedy: must have at least two tuned models to choose from, got 1", "--tuned PATH names another"
        )
    if section.greedy is not None and len(section.data) > 1:
        raise RequestError(
            f"merge.data: must be one folder for merge.greedy, got {len(section.data)}", "give --data once"
        )
    problems: list[str] = []
    hints: dict[str, None] = {}  # a set in order
    for name in section.formats:
        try:
            FORMATS.get(name).require(sources.base)
        except RequestError as error:
            problems.append(error.message)
            hints[error.hint] = None
    unused = unused_filters(ways[0], sources.plan.merged)
    if unused:
        hints["speechft merge --plan -v shows the tensors' names"] = None
    if problems or unused:
        raise ConfigError(problems + unused, "; ".join(hints))


def _plan(
    config: Config,
    section: MergeSection,
    sources: Sources,
    ways: Sequence[Variant],
    asked: Mapping[str, Measurement],
    report: Report,
) -> Result:
    for doubt in sources.other_bases(None):
        report(Note(doubt, important=True))
    wanted = targets(config, ways, sources, None, asked)
    missing = [target for target in wanted if not target.has_record]
    size = _size(section, sources)
    measured = sum(each.size(sources) for each in asked.values())
    require_space(config.merge_dir, measured + size * len(missing))
    for name, each in asked.items():
        folders = " and ".join(dict.fromkeys(map(str, each.data)))
        speech = f"at most {each.record['utterances']} utterances of {each.record['split']} in {folders}"
        room = f"at most {size_text(each.size(sources))} on disk"
        text = f"{name} measures {each.statistic.summary} of every tuned model, on {speech}: {room}"
        report(Note(text, important=True))
    if section.greedy is not None:
        text = f"the greedy soup by {section.greedy} may leave out tuned models; what follows is for all of them"
        report(Note(text, important=True))
    alpha = float(section.chosen_alphas[-1])
    for way in ways:
        effective = ", ".join(f"{alpha * each:g}" for each in way.method.sizes(len(sources.tuned)))
        report(
            Note(
                f"{way.method.name} at alpha {alpha:g} adds this much of each tuned model: {effective}", important=True
            )
        )
        tell_plan(way, sources, alpha, report, is_named=len(ways) > 1)
    is_streamed = section.formats == ["s3prl"]
    memory = memory_needed(sources, is_grid=section.is_grid, is_streamed=is_streamed, measured=measured)
    outputs = [
        {
            **described(target),
            "status": "write" if target in missing else "skip",
            "effective_alpha": target.record["effective_alpha"],
        }
        for target in wanted
    ]
    data = _data(section, sources, ways, outputs)
    keys = [{"variant": way.folder.as_posix(), "keys": plan_keys(way, sources, alpha)} for way in ways]
    return Result(
        f"merged encoders to write: {len(missing)} of {size_text(size)} each, with {size_text(memory)} of memory at "
        "most; nothing was written",
        str(config.merge_dir),
        "the same command without --plan",
        {**data, "bytes": size, "memory_bytes": memory, "plan": keys},
    )


def _size(section: MergeSection, sources: Sources) -> int:
    return sources.size * len(section.formats)


def _outcome(target: Target) -> dict[str, object]:
    output = cast("Mapping[str, object]", read_merge(target.folder)["output"])
    return {**described(target), **output}


def _data(
    section: MergeSection, sources: Sources, ways: Sequence[Variant], outputs: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    return {
        "method": section.methods,
        "parameters": [way.method.model_dump(mode="json", by_alias=True) for way in ways],
        "family": sources.base.family.name,
        "base": sources.files[0],
        "tuned": sources.files[1:],
        "merged": len(sources.plan.merged),
        "kept": dict(sources.plan.kept),
        "bytes": sources.size,
        "outputs": list(outputs),
    }


def _next_command(config: Config, sources: Sources, wanted: Sequence[Target]) -> str:
    # a folder stands for the encoder in it, and gives the model its label
    merged = [
        target.folder if encoder_in(target.folder) else target.folder / next(iter(target.files.values()))
        for target in wanted
    ]
    is_clear = len({path.name for path in merged}) == len(merged) <= _MODELS_SUGGESTED
    if not is_clear and encoder_in(config.merge_dir) is None:
        merged = [config.merge_dir]  # `evaluate` takes all merges in it, unless a single one lies in the folder itself
    base = name_of(Path(str(sources.base.path))) or sources.base.path
    models = [part for path in (f"base={base}", *merged) for part in ("--model", str(path))]
    run = next(iter(sources.recorded_bases), None)
    trained_on = None if run is None else recorded_data(run)
    data = trained_on or (config.data_dir if config.data_dir.is_dir() else Path("MANIFESTS"))
    task = suggested_task({} if run is None else read_run(run), data)
    return shlex.join(["speechft", "evaluate", *models, "--data", str(data), *task])
