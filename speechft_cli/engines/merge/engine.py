"""Merging: base + tuned → one checkpoint per alpha."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders import FORMATS
from speechft_cli.engines.merge.measurement import Measurement, measurement
from speechft_cli.engines.merge.outcome import next_command, outcome, outcome_table, result_data
from speechft_cli.engines.merge.plan import plan
from speechft_cli.engines.merge.sources import Sources, read_sources, tuned_paths
from speechft_cli.engines.merge.statistics import measure
from speechft_cli.engines.merge.survey import Survey, survey
from speechft_cli.engines.merge.targets import Target, targets
from speechft_cli.engines.merge.variants import Variant, unused_filters, variants
from speechft_cli.engines.merge.write import Writer
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started
from speechft_cli.io.ahead import in_order
from speechft_cli.io.lock import locked
from speechft_cli.io.merge_folder import is_done, remove_leftovers
from speechft_cli.io.space import require_space

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
        return plan(config, sources, ways, asked, report)
    # what stands in the way is said before gigabytes are read
    wanted = targets(config, ways, sources, None, asked)
    size = sources.size * len(section.formats)  # of each merged model on the disk
    require_space(config.merge_dir, size * sum(not target.has_record for target in wanted))
    known = survey(sources, report, allow_unrelated=section.allow_unrelated)
    for doubt in sources.other_bases(known.hashes[0]):
        report(Note(doubt, important=True))
    facts: dict[str, object] = {"license": section.license or sources.license}
    with locked(config.merge_dir, report, leave_nothing=True):
        if section.greedy is not None:
            from speechft_cli.engines.merge.soup import choose, scratch_size  # which needs torch

            count = len(ways) * len(section.chosen_alphas)
            require_space(config.merge_dir, scratch_size(sources) + size * count)
            soup = choose(config, sources, section.greedy, report)
            sources, known, facts = soup.sources, known.of(soup.kept), {**facts, "soup": soup.record}
            ways = variants(section, len(sources.tuned), seed=config.seed, can_measure=True)
            asked = measurement(config, sources, ways)
        wanted = targets(config, ways, sources, known.hashes, asked)
        there = _merge(config, sources, known, wanted, asked, facts, report)
    outputs = [{**outcome(target), "status": "skipped" if target in there else "written"} for target in wanted]
    report(outcome_table(outputs))
    return Result(
        f"merged encoders written: {len(wanted) - len(there)}, there already: {len(there)}",
        str(config.merge_dir),
        next_command(config, sources, wanted),
        result_data(section, sources, ways, outputs),
    )


def _merge(
    config: Config,
    sources: Sources,
    known: Survey,
    wanted: Sequence[Target],
    asked: Mapping[str, Measurement],
    facts: Mapping[str, object],
    report: Report,
) -> set[Target]:
    """Measures and writes what is wanted; returns the targets that were there already."""
    section = config.merge or MergeSection()
    remove_leftovers(config.merge_dir, [target.folder for target in wanted])
    there = {target for target in wanted if is_done(target.folder)}
    missing = [target for target in wanted if target not in there]
    methods = {target.variant.method.name for target in missing}
    asked = {name: each for name, each in asked.items() if name in methods}
    size = sum(each.size(sources) for each in asked.values()) + sources.size * len(section.formats) * len(missing)
    require_space(config.merge_dir, size)
    measured = {
        name: measure(config, sources, each, known.hashes[1:], known.moved, report) for name, each in asked.items()
    }
    is_whole = section.weight_norm == "effective"
    writer = Writer(sources, known, missing, whole_kernels=is_whole, measured=measured)
    report(Started("merging", len(wanted), "alphas"))
    for target in wanted:
        if target in there:
            report(Note(f"{target.name}: is there already, in {target.folder}"))
        elif target.has_record:
            text = "checkpoint is missing or not what was written, so it is made again"
            report(Note(f"{target.folder}: {text}", important=True))
    # two at once: one is computed while the other waits for the disk
    job = in_order(lambda target: writer.write(target, facts), missing, workers=2)
    for number, (target, _) in enumerate(zip(missing, job, strict=True), start=1 + len(there)):
        report(Advanced(number, target.name))
    report(Finished())
    return there


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
        hints["speechft -v merge --plan shows the tensors' names"] = None
    if problems or unused:
        raise ConfigError(problems + unused, "; ".join(hints))
