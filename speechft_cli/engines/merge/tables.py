"""What a merge shows: its plan before, its checkpoints after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from speechft_cli.config.alphas import alpha_name
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.engines.merge.targets import Target
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.events import Note, Report, Table
from speechft_cli.io.space import size_text
from speechft_cli.merging.filters import choose, depths, group_of
from speechft_cli.merging.plan import BUFFER, HEAD

#: What Python and its libraries take by themselves [bytes].
_RUNTIME = 150_000_000
#: What torch and an encoder at work take besides [bytes].
_MEASURING = 1_000_000_000


def memory_needed(sources: Sources, *, is_grid: bool, is_streamed: bool, measured: int) -> int:
    """Returns how much memory a merge takes at most, roughly [bytes]: mapped files count.

    Args:
        sources: What is merged.
        is_grid: Whether there are several alphas.
        is_streamed: Whether a merged model never lies in memory as a whole.
        measured: Bytes of the tuned models' statistics; none are needed when it is 0.
    """
    models = 1 + len(sources.tuned)
    # what a grid has in common is a sum of task vectors, which is kept, unless there is only one
    kept = (is_grid and len(sources.tuned) > 1) + (not is_streamed)
    runtime = _RUNTIME + _MEASURING * (measured > 0)
    return runtime + measured + sources.size * (models + kept)


def plan_keys(variant: Variant, sources: Sources, alpha: float) -> list[dict[str, object]]:
    """Returns what happens to each tensor: action, reason, bytes, shape and effective alpha."""
    plan, base = sources.plan, sources.base.arrays
    choices, deep = choose(variant.method, variant.filters, plan.merged), depths(plan.merged)
    rows: list[dict[str, object]] = []
    for name, tensor in base.items():
        row: dict[str, object] = {"name": name, "shape": list(tensor.shape), "bytes": tensor.nbytes}
        if name in plan.kept:
            row |= {"action": "keep", "reason": plan.kept[name], "alpha": 0.0}
        else:
            chosen = choices[name]
            reason = f"filter {chosen.filter.match}" if chosen.filter in variant.filters else "in base and tuned"
            row |= {"action": "merge", "reason": reason, "alpha": chosen.filter.alpha_of(alpha, deep[name])}
        rows.append(row)
    return rows


def tell_plan(variant: Variant, sources: Sources, alpha: float, report: Report, *, is_named: bool) -> None:
    """Shows the plan by groups of tensors, and each tensor in notes that -v shows."""
    keys = plan_keys(variant, sources, alpha)
    groups: dict[tuple[str, str, str], list[dict[str, object]]] = {}
    for key in keys:
        report(
            Note(f"{key['action']} {key['name']} {key['shape']}: {key['reason']}, alpha {key['alpha']:g}", detail=True)
        )
        where = group_of(str(key["name"])) if key["reason"] not in (HEAD, BUFFER) else "-"
        groups.setdefault((where, str(key["action"]), str(key["reason"])), []).append(key)
    rows = []
    for (where, action, reason), members in groups.items():
        alphas = sorted({float(str(each["alpha"])) for each in members})
        size = size_text(sum(int(str(each["bytes"])) for each in members))
        text = f"{alphas[0]:g}" if len(alphas) == 1 else f"{alphas[0]:g} to {alphas[-1]:g}"
        rows.append((where, action, reason, str(len(members)), size, text))
    what = f" of {variant.method.name}" if is_named else ""
    columns = ("part", "action", "because", "tensors", "size", "alpha")
    report(Table(f"Plan{what} at alpha {alpha:g}", columns, tuple(rows)))


def outcome_table(outputs: Sequence[Mapping[str, object]]) -> Table:
    """Returns one row per merged encoder."""
    rows = []
    is_varied = len({str(each["variant"]) for each in outputs}) > 1
    for output in outputs:
        distance, tuned_distance = float(str(output["distance"])), float(str(output["tuned_distance"]))
        share = f"{distance / tuned_distance:.4f}" if tuned_distance else "-"
        path = str(Path(str(output["folder"])) / str(output["file"]))
        name = alpha_name(Decimal(str(output["alpha"])))
        first = (str(output["variant"]), name) if is_varied else (name,)
        rows.append((*first, share, size_text(int(str(output["bytes"]))), path))
    columns = (*(("merge",) if is_varied else ()), "alpha", "distance", "size", "path")
    return Table("Merged encoders; distance from the base, where the tuned model's is 1", columns, tuple(rows))


def described(target: Target) -> dict[str, object]:
    """Returns what names a target in a machine-readable result."""
    return {"alpha": float(target.alpha), "variant": target.variant.folder.as_posix(), "folder": str(target.folder)}
