"""Sections of results: scores, curves, the recommended alpha, SUPERB scores, drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.errors import amount
from speechft_cli.events import Table
from speechft_cli.reporting.breakdown import Breakdown, breakdown_table
from speechft_cli.reporting.document import Section, listed
from speechft_cli.reporting.drift import Drift, drift_table
from speechft_cli.reporting.plots.curves import draw_curves, panels
from speechft_cli.reporting.plots.groups import draw_groups
from speechft_cli.reporting.plots.heatmap import draw_heatmaps
from speechft_cli.reporting.plots.style import Picture
from speechft_cli.reporting.plots.tradeoff import draw_tradeoff
from speechft_cli.reporting.recommendation import Recommendation, weigh
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.suggestion import RULE as DRIFT_RULE
from speechft_cli.reporting.suggestion import Suggestion
from speechft_cli.reporting.tables import fold_tables, score_table

_SUPERB = (
    "1000 times the mean over tasks of (value − base) / (top − base), on test; slot filling's two metrics count as one "
    "task. The columns after the score are the tasks' own parts. Scores by other constants, of other tasks or on other "
    "data than SUPERB's can't be compared with these.",
)

_DRIFT = (
    "How far each encoder is from the base, in its weights (Euclidean distance, and as a share of the base's norm) "
    "and, on speech without labels, in its features: 1 − linear CKA (0: the same up to rotation and scale) and the "
    "cosine of each frame, as means over all hidden states.",
    "For merged encoders, LLFC is the cosine of their features with the interpolation (1 − α) base + α tuned of the "
    "two ends' features, and var their variance as a share of the interpolation's: near 1, merging the weights was "
    "like mixing the features; a variance far below 1 is a collapse. drift.jsonl has every layer.",
)


def scores_section(scores: Sequence[Score], base: str | None) -> Section:
    """Returns all encoders' scores on test."""
    text = "The best of each column is marked; ↑ higher is better, ↓ lower is better."
    if base is not None:
        text += f" Δ is the difference from {base}, in the metric's own unit."
    seeds = max(len(score.seeds) for score in scores)
    if seeds > 1:
        text += f" Each figure is the mean of {seeds} seeds ± half of its 95 % interval (Student's t)."
    folded = dict.fromkeys((score.task, tuple(fold.name for fold in score.folds)) for score in scores if score.folds)
    for task, names in folded:
        text += f" {task} is the mean of the {len(names)} folds below, each of which is tested on once."
    text += " scores.jsonl beside this report has every figure with all that it depends on."
    tables = (score_table(scores, title="test", split="test", base=base), *fold_tables(scores, split="test"))
    return Section("Scores", (text,), tables=tables)


def dev_section(scores: Sequence[Score], base: str | None) -> Section:
    """Returns all encoders' scores on dev."""
    text = "Learning rates, updates and alpha were chosen by these."
    for task in dict.fromkeys(score.task for score in scores if score.settings.get("is_balanced")):
        text += f" In those of {task} every class weighs the same, whatever its size; test is scored as it is."
    return Section(
        "Scores on dev", (text,), tables=(score_table(scores, title="dev", split="dev", base=base),), is_folded=True
    )


def curves_section(first: Sequence[Score], anchors: Mapping[str, float]) -> Section | None:
    """Returns scores over alpha; None when there are no two to draw.

    Args:
        first: First metrics of all encoders and tasks.
        anchors: Label → alpha of the encoders that were not merged.
    """
    drawn = panels(first, anchors=anchors)
    if not drawn:
        return None
    there = {score.label for score in first}
    marked = {label: alpha for label, alpha in anchors.items() if label in there}
    text = "Scores over α. The base is the encoder at α = 0, the tuned one at α = 1."
    if any(point.interval for panel in drawn for points in panel.curves.values() for point in points):
        text += " Bars and bands are 95 % intervals over the probes' seeds; they say nothing about other speech."
    return Section("From base to tuned", (text,), tuple(draw_curves(each, anchors=marked) for each in drawn))


def alpha_section(
    recommendation: Recommendation | None, suggestion: Suggestion | None, first: Sequence[Score], base: str | None
) -> Section | None:
    """Returns which alpha to use, and why; None when there was nothing to choose."""
    paragraphs: list[str] = []
    tables: list[Table] = []
    pictures: list[Picture] = []
    if recommendation is not None:
        paragraphs.append(f"By dev scores: {recommendation.label or 'none'}. {recommendation.reason}")
        paragraphs.append(f"Rule: {recommendation.rule}. Test scores have no say in it.")
        tables.append(_options(recommendation))
        pictures += _tradeoffs(recommendation, first, base or "")
    if suggestion is not None:
        paragraphs.append(f"By drift, without any label: {suggestion.label}. {suggestion.reason}")
        paragraphs.append(f"Rule: {DRIFT_RULE}.")
    return Section("Recommended alpha", tuple(paragraphs), tuple(pictures), tuple(tables)) if paragraphs else None


def breakdown_section(found: Sequence[Breakdown]) -> Section:
    """Returns who gains and who loses."""
    text = (
        "The first metric over the test utterances of one class or speaker alone, the mean over the seeds, worst "
        "change first. Groups are small: one utterance more or less can be several points."
    )
    pictures = tuple(draw_groups(each) for each in found)
    return Section("By class or speaker", (text,), pictures, tuple(map(breakdown_table, found)), is_folded=True)


def superb_section(table: Table) -> Section:
    """Returns the SUPERB scores; the table's title names constants and tasks."""
    return Section("SUPERB score", _SUPERB, tables=(table,))


def drift_section(lines: Sequence[Drift], anchors: Mapping[str, float]) -> Section:
    """Returns how far the encoders have moved."""
    heard = f"Measured on {amount(lines[0].utterances, 'utterances')}, {lines[0].seconds:.0f} s."
    pictures = tuple(draw_heatmaps(lines, anchors=anchors))
    return Section("Drift", (*_DRIFT, heard), pictures, (drift_table(lines),))


def _tradeoffs(recommendation: Recommendation, first: Sequence[Score], base: str) -> list[Picture]:
    """Dev, which the choice was made by, then test; none without both a target and other tasks."""
    if not (recommendation.target and recommendation.others):
        return []
    pictures = []
    for split in ("dev", "test"):
        options, target, others = weigh(first, split=split, base=base, target=recommendation.target)
        if target and others and len(options) > 1:
            pictures.append(
                draw_tradeoff(
                    options,
                    split=split,
                    target=listed(target),
                    others=listed(others),
                    base=base,
                    recommended=recommendation.label,
                )
            )
    return pictures


def _options(recommendation: Recommendation) -> Table:
    columns = [
        "encoder",
        *([f"target: {listed(recommendation.target)}"] if recommendation.target else []),
        *([f"others: {listed(recommendation.others)}"] if recommendation.others else []),
        *(["Pareto"] if recommendation.target and recommendation.others else []),
    ]
    rows = []
    for each in recommendation.options:
        gain = [] if each.gain is None else [f"{each.gain:+.1%}"]
        retention = [] if each.retention is None else [f"{each.retention:+.1%}"]
        pareto = ["yes" if each.is_pareto else ""] if gain and retention else []
        rows.append((each.label, *gain, *retention, *pareto))
    chosen = {
        (row, column)
        for row, each in enumerate(recommendation.options)
        for column in range(1, len(columns))
        if each.label == recommendation.label
    }
    return Table("change from the base on dev", tuple(columns), tuple(rows), frozenset(chosen))
