"""The report of an evaluation: what was compared, on what, how, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.events import Table
from speechft_cli.reporting.breakdown import Breakdown
from speechft_cli.reporting.document import Document, listed
from speechft_cli.reporting.drift import Drift
from speechft_cli.reporting.recommendation import Recommendation
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.sections.provenance import (
    EncoderFacts,
    TaskFacts,
    caveats_section,
    data_section,
    encoders_section,
    facts_section,
    probes_section,
)
from speechft_cli.reporting.sections.results import (
    alpha_section,
    breakdown_section,
    curves_section,
    dev_section,
    drift_section,
    scores_section,
    superb_section,
)
from speechft_cli.reporting.suggestion import Suggestion

#: Preset that is SUPERB's own protocol; any other is named before the first figure.
_SUPERB_PRESET = "superb"


def evaluation_document(
    *,
    name: str,
    scores: Sequence[Score],
    first_metrics: Mapping[str, str],
    base: str | None,
    anchors: Mapping[str, float],
    superb: Table | None,
    breakdowns: Sequence[Breakdown],
    encoders: Sequence[EncoderFacts],
    tasks: Sequence[TaskFacts],
    recommendation: Recommendation | None,
    drift: Sequence[Drift],
    suggestion: Suggestion | None,
    facts: Mapping[str, str],
) -> Document:
    """Puts the report together, and draws its pictures.

    Args:
        name: Of the experiment.
        scores: All of them, in the order of rows and columns.
        first_metrics: Task → the metric that stands for it in pictures.
        base: Label of the base encoder, if it is there.
        anchors: Label → alpha of the encoders that were not merged.
        superb: The SUPERB scores, if there are any; the title names their constants.
        breakdowns: Scores by class or speaker.
        encoders: What was evaluated.
        tasks: What they were evaluated on.
        recommendation: The best alpha by dev scores, if there was a choice.
        drift: How far the encoders have moved.
        suggestion: The alpha to try by drift, if there was a choice.
        facts: Anything else to reproduce it: name → value.
    """
    first = [score for score in scores if score.metric == first_metrics[score.task]]
    sections = [
        scores_section(scores, base) if scores else None,
        alpha_section(recommendation, suggestion, first, base),
        curves_section(first, anchors),
        superb_section(superb) if superb is not None else None,
        drift_section(drift, anchors) if drift else None,
        breakdown_section(breakdowns) if breakdowns else None,
        dev_section(scores, base) if scores else None,
        caveats_section(scores, tasks) if scores else None,
        encoders_section(encoders),
        data_section(tasks) if tasks else None,
        probes_section(scores, tasks) if scores else None,
        facts_section(facts),
    ]
    count = f"{len(encoders)} frozen {'encoder' if len(encoders) == 1 else 'encoders'}"
    lead = f"{count} on {listed([task.name for task in tasks])}." if tasks else f"How far {count} have moved."
    if recommendation is not None:
        lead += f" Best merged encoder by dev: {recommendation.label or 'none'}."
    if suggestion is not None:
        lead += f" To try by drift alone: {suggestion.label}."
    title = f"{name}: {'evaluation' if tasks else 'drift'}"
    return Document(title, lead, _warning(scores), tuple(each for each in sections if each is not None))


def _warning(scores: Sequence[Score]) -> str:
    presets = sorted({score.preset for score in scores} - {_SUPERB_PRESET})
    if not presets:
        return ""
    return (
        f"Preset {listed(presets)}, not SUPERB's full protocol: these scores compare the encoders of this report with "
        "each other, and can't stand beside published SUPERB figures."
    )
