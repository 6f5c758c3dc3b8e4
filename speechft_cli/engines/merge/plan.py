"""What a merge would do, and what it would need: told without reading a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.engines.merge.measurement import Measurement
from speechft_cli.engines.merge.outcome import described, result_data
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.engines.merge.targets import targets
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.events import Note, Report, Result, Table
from speechft_cli.io.space import require_space, size_text
from speechft_cli.merging.filters import choose, depths, group_of
from speechft_cli.merging.plan import BUFFER, HEAD

#: What Python and its libraries take by themselves [bytes].
_RUNTIME = 150_000_000
#: What torch and an encoder at work take besides [bytes].
_MEASURING = 1_000_000_000


@dataclass(frozen=True)
class PlannedTensor:
    """What happens to a tensor, why, and with which effective alpha."""

    name: str
    shape: list[int]
    bytes: int
    action: Literal["keep", "merge"]
    reason: str
    alpha: float


def plan(
    config: Config, sources: Sources, ways: Sequence[Variant], asked: Mapping[str, Measurement], report: Report
) -> Result:
    """Says what a merge would do to which tensors, and what it needs; writes nothing.

    Raises:
        RequestError: A folder holds something else.
        SpeechftError: The disk has no room for it.
    """
    section = config.merge or MergeSection()
    for doubt in sources.other_bases(None):
        report(Note(doubt, important=True))
    wanted = targets(config, ways, sources, None, asked)
    missing = [target for target in wanted if not target.has_record]
    size = sources.size * len(section.formats)
    measured = sum(each.size(sources) for each in asked.values())
    require_space(config.merge_dir, measured + size * len(missing))
    for name, each in asked.items():
        report(Note(_measuring(name, each, sources), important=True))
    if section.greedy is not None:
        text = f"the greedy soup by {section.greedy} may leave out tuned models; what follows is for all of them"
        report(Note(text, important=True))
    alpha = float(section.chosen_alphas[-1])
    keys = [_planned(way, sources, alpha) for way in ways]
    for way, tensors in zip(ways, keys, strict=True):
        effective = ", ".join(f"{alpha * each:g}" for each in way.method.sizes(len(sources.tuned)))
        but = f" ({way.method.proviso})" if way.method.proviso else ""
        text = f"{way.method.name} at alpha {alpha:g} adds this much of each tuned model: {effective}{but}"
        report(Note(text, important=True))
        _tell(tensors, f" of {way.method.name}" if len(ways) > 1 else "", alpha, report)
    memory = _memory_needed(section, sources, measured)
    outputs = [
        {
            **described(target),
            "status": "write" if target in missing else "skip",
            "effective_alpha": target.record["effective_alpha"],
        }
        for target in wanted
    ]
    data = result_data(section, sources, ways, outputs)
    plans = [
        {"variant": way.folder.as_posix(), "keys": [asdict(each) for each in tensors]}
        for way, tensors in zip(ways, keys, strict=True)
    ]
    return Result(
        f"merged encoders to write: {len(missing)} of {size_text(size)} each, with {size_text(memory)} of memory at "
        "most; nothing was written",
        str(config.merge_dir),
        "the same command without --plan",
        {**data, "bytes": size, "memory_bytes": memory, "plan": plans},
    )


def _measuring(method: str, asked: Measurement, sources: Sources) -> str:
    folders = " and ".join(dict.fromkeys(map(str, asked.data)))
    speech = f"at most {asked.record['utterances']} utterances of {asked.record['split']} in {folders}"
    room = f"at most {size_text(asked.size(sources))} on disk"
    return f"{method} measures {asked.statistic.summary} of every tuned model, on {speech}: {room}"


def _planned(variant: Variant, sources: Sources, alpha: float) -> list[PlannedTensor]:
    kept, merged = sources.plan.kept, sources.plan.merged
    choices, deep = choose(variant.method, variant.filters, merged), depths(merged)
    tensors = []
    for name, tensor in sources.base.arrays.items():
        facts = name, list(tensor.shape), tensor.nbytes
        if name in kept:
            tensors.append(PlannedTensor(*facts, "keep", kept[name], 0.0))
        else:
            own = choices[name].filter
            reason = f"filter {own.match}" if own in variant.filters else "in base and tuned"
            tensors.append(PlannedTensor(*facts, "merge", reason, own.alpha_of(alpha, deep[name])))
    return tensors


def _tell(tensors: Sequence[PlannedTensor], of: str, alpha: float, report: Report) -> None:
    """Shows the plan by groups of tensors, and each tensor in notes that -v shows."""
    groups: dict[tuple[str, str, str], list[PlannedTensor]] = {}
    for each in tensors:
        report(Note(f"{each.action} {each.name} {each.shape}: {each.reason}, alpha {each.alpha:g}", detail=True))
        where = group_of(each.name) if each.reason not in (HEAD, BUFFER) else "-"
        groups.setdefault((where, each.action, each.reason), []).append(each)
    rows = []
    for group, members in groups.items():
        alphas = sorted({each.alpha for each in members})
        text = f"{alphas[0]:g}" if len(alphas) == 1 else f"{alphas[0]:g} to {alphas[-1]:g}"
        rows.append((*group, str(len(members)), size_text(sum(each.bytes for each in members)), text))
    columns = ("part", "action", "because", "tensors", "size", "alpha")
    report(Table(f"Plan{of} at alpha {alpha:g}", columns, tuple(rows)))


def _memory_needed(section: MergeSection, sources: Sources, measured: int) -> int:
    """Returns how much memory a merge takes at most, roughly [bytes]: mapped files count.

    Args:
        section: What is asked for.
        sources: What is merged.
        measured: Bytes of the tuned models' statistics; none are needed when it is 0.
    """
    is_streamed = section.formats == ["s3prl"]  # a merged model never lies in memory as a whole
    # what a grid has in common is a sum of task vectors, which is kept, unless there is only one
    kept = (section.is_grid and len(sources.tuned) > 1) + (not is_streamed)
    runtime = _RUNTIME + _MEASURING * (measured > 0)
    return runtime + measured + sources.size * (1 + len(sources.tuned) + kept)
