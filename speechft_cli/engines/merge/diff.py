"""Comparing two checkpoints of one architecture, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from speechft_cli.encoders.formats import read_encoder
from speechft_cli.engines.merge.survey import check_finite
from speechft_cli.events import Report, Result, Table, counted
from speechft_cli.io.ahead import in_order
from speechft_cli.merging.differences import Difference, compare, summed
from speechft_cli.merging.filters import group_of
from speechft_cli.merging.plan import plan_merge
from speechft_cli.merging.weights import not_finite


def run(one: Path, other: Path, report: Report, *, base: Path | None = None, trust: bool = False) -> Result:
    """Says per layer how far two encoders are from each other and whether their task vectors agree.

    Args:
        one: A checkpoint.
        other: Another of the same family and size.
        report: Told how far it is.
        base: What both were tuned from; without it the first one is the base, and there is one task vector only.
        trust: Whether the checkpoints may execute code while they are read.

    Raises:
        RequestError: One can't be read, or they don't fit together.
        SpeechftError: One holds a NaN or an infinity; names the tensors.
    """
    first = read_encoder(base or one, trust=trust, report=report)
    family = first.family
    paths = [one, other] if base is not None else [other]
    models = [read_encoder(path, family, trust=trust, report=report) for path in paths]
    plan = plan_merge(first.arrays, [(str(each.path), each.arrays) for each in models], is_kept=family.is_kept)
    # without a base there is one task vector, which is compared with itself
    start, a, b = first.arrays, models[0].arrays, models[-1].arrays
    groups: dict[str, list[Difference]] = {}
    unclear = []
    job = in_order(lambda name: compare(start[name], a[name], b[name]), plan.merged)
    pairs = zip(plan.merged, job, strict=True)
    for name, difference in counted(pairs, report, "comparing", len(plan.merged), "tensors"):
        groups.setdefault(group_of(name), []).append(difference)
        if not difference.is_finite:
            unclear.append(name)
    for model in (first, *models):
        check_finite(str(model.path), not_finite(model.arrays, unclear))
    found = {group: summed(each) for group, each in groups.items()}
    found["all"] = summed([each for members in groups.values() for each in members])
    report(_seen_from(base, found) if base is not None else _one_way(found))
    return Result(
        f"distance {found['all'].apart if base else found['all'].one:.6g}, {len(plan.merged)} tensors compared",
        f"{one} and {other}",
        data={
            "base": None if base is None else str(base),
            "one": str(one),
            "other": str(other),
            "groups": {group: _data(each, base) for group, each in found.items()},
        },
    )


def _seen_from(base: Path, found: Mapping[str, Difference]) -> Table:
    rows = []
    for group, each in found.items():
        cosine = "-" if each.cosine is None else f"{each.cosine:.4f}"
        conflict = "-" if each.conflict is None else f"{100 * each.conflict:.2f} %"
        rows.append((group, f"{each.one:.4g}", f"{each.other:.4g}", f"{each.apart:.4g}", cosine, conflict))
    columns = ("part", "A from base", "B from base", "A from B", "cosine of task vectors", "signs in conflict")
    return Table(f"Seen from {base}", columns, tuple(rows))


def _one_way(found: Mapping[str, Difference]) -> Table:
    rows = [
        (group, f"{each.one:.4g}", f"{each.one / each.base:.4g}" if each.base else "-", f"{100 * each.changed:.2f} %")
        for group, each in found.items()
    ]
    return Table("", ("part", "B from A", "in lengths of A", "numbers changed"), tuple(rows))


def _data(difference: Difference, base: Path | None) -> dict[str, object]:
    relative = difference.one / difference.base if difference.base else None
    if base is None:
        return {"distance": difference.one, "relative": relative, "changed": difference.changed}
    return {
        "one_from_base": difference.one,
        "other_from_base": difference.other,
        "distance": difference.apart,
        "cosine": difference.cosine,
        "sign_conflict": difference.conflict,
    }
