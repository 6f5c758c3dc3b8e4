"""The report of an evaluation: what was compared, on what, how, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.events import Table
from speechft_cli.reporting.document import Document, Figure, Section, listed
from speechft_cli.reporting.drift import Drift, drift_table
from speechft_cli.reporting.recommendation import Recommendation
from speechft_cli.reporting.scores import Score
from speechft_cli.reporting.suggestion import RULE as DRIFT_RULE
from speechft_cli.reporting.suggestion import Suggestion
from speechft_cli.reporting.tables import score_table

_PROTOCOL = (
    "Protocol: SUPERB's (Yang et al. 2021, arXiv 2105.01051). The encoder is frozen and in evaluation mode, every "
    "utterance is encoded alone. A probe is a softmax-weighted sum of all hidden states, whose weights train with it, "
    "and the task's probe head; Adam, gradient norm clipped to 1, no schedule.",
    "Of all learning rates and updates the probe that is best on dev by the task's first metric is kept, of equals "
    "the one with the lowest loss on dev. Test is scored once, with that probe; it takes part in no choice. The seed "
    "depends on the experiment and the task only, so equal encoders get equal scores.",
)

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

#: Task → what its figure can't show.
_CAVEATS = {
    "sid": (
        "Speaker identification: all utterances of a speaker of a read corpus often come from one session, so the "
        "recording channel alone can give the speaker away (on whole LibriSpeech utterances simple channel "
        "statistics reach 100 %). A high accuracy here does not prove that the features know voices; short crops "
        "(evaluate.crop_seconds) and corpora with several sessions per speaker show more."
    ),
}


@dataclass(frozen=True)
class EncoderFacts:
    """One evaluated encoder: label, alpha if it was merged, file, and hash of the weights that were scored."""

    label: str
    alpha: str | None
    path: str
    weights_hash: str


@dataclass(frozen=True)
class TaskFacts:
    """One task as it was run.

    Attributes:
        name: The task.
        rule: Where its splits come from, in words.
        utterances: Split → count.
        seconds: Split → audio [s].
        left_out: Reason → utterances.
        from_train: Test utterances that lie in the manifests' train split.
        steps: Updates of each probe.
        batch_size: Utterances per update.
        learning_rates: Tried.
        crop_seconds: Longest stretch heard [s]; None for all.
        preset: How probes were trained, as a name and in words.
        reading: How test was read where not greedily; None where it was.
    """

    name: str
    rule: str
    utterances: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: Mapping[str, int]
    from_train: int
    steps: int
    batch_size: int
    learning_rates: Sequence[float]
    crop_seconds: float | None
    preset: tuple[str, str]
    reading: str | None


def evaluation_document(
    *,
    name: str,
    scores: Sequence[Score],
    base: str | None,
    superb: Table | None,
    encoders: Sequence[EncoderFacts],
    tasks: Sequence[TaskFacts],
    recommendation: Recommendation | None,
    drift: Sequence[Drift],
    suggestion: Suggestion | None,
    figure: Figure | None,
    facts: Mapping[str, str],
) -> Document:
    """Puts the report together.

    Args:
        name: Of the experiment.
        scores: All of them, in the order of rows and columns.
        base: Label of the base encoder, if it is there.
        superb: The SUPERB scores, if there are any; the title names their constants.
        encoders: What was evaluated.
        tasks: What they were evaluated on.
        recommendation: The best alpha by dev scores, if there was a choice.
        drift: How far the encoders have moved.
        suggestion: The alpha to try by drift, if there was a choice.
        figure: Scores over alpha, if there is something to draw.
        facts: Anything else to reproduce it: name → value.
    """
    preset = tasks[0].preset[0] if tasks else "default"
    suffix = "" if preset == "default" else f", preset {preset}"
    sections = [_scores(scores, base, suffix)] if scores else []
    if recommendation is not None or suggestion is not None:
        sections.append(_recommended(recommendation, suggestion))
    if figure is not None:
        text = "Scores over α. The base is the encoder at α = 0, the tuned one at α = 1."
        sections.append(Section("From base to tuned", (text,), figure=figure))
    if superb is not None:
        sections.append(Section(superb.title, _SUPERB, (superb,)))
    if drift:
        heard = f"Measured on {drift[0].utterances} utterances, {drift[0].seconds:.0f} s."
        sections.append(Section("Drift", (*_DRIFT, heard), (drift_table(drift),)))
    if tasks:
        sections.append(Section("What the figures can't show", _caveats(tasks)))
    sections.append(_encoders(encoders))
    if tasks:
        sections += [_data(tasks), _probes(scores, tasks)]
    rows = tuple((key, value) for key, value in facts.items())
    sections.append(Section("To reproduce this", tables=(Table("facts", ("what", "value"), rows),)))
    count = f"{len(encoders)} frozen {'encoder' if len(encoders) == 1 else 'encoders'}"
    lead = f"{count} on {listed([task.name for task in tasks])}." if tasks else f"How far {count} have moved."
    if recommendation is not None:
        alpha = recommendation.alpha
        lead += f" Best alpha by dev: {'none' if alpha is None else f'{alpha.normalize():f}'}."
    return Document(f"{name}: {'evaluation' if tasks else 'drift'}{suffix}", lead, tuple(sections))


def _scores(scores: Sequence[Score], base: str | None, suffix: str) -> Section:
    text = "The best of each column is marked; ↑ higher is better, ↓ lower is better."
    if base is not None:
        text += f" Δ is the difference from {base}, in the metric's own unit."
    text += " scores.jsonl beside this report has every figure with all that it depends on."
    tables = tuple(score_table(scores, title=split + suffix, split=split, base=base) for split in ("test", "dev"))
    return Section("Scores", (text,), tables)


def _recommended(recommendation: Recommendation | None, suggestion: Suggestion | None) -> Section:
    paragraphs: list[str] = []
    tables = []
    if recommendation is not None:
        where = "none" if recommendation.label is None else recommendation.label
        paragraphs.append(f"By dev scores: {where}. {recommendation.reason}")
        paragraphs.append(f"Rule: {recommendation.rule}. Test scores have no say in it.")
        tables.append(_options(recommendation))
    if suggestion is not None:
        paragraphs.append(f"By drift, without any label: {suggestion.label}. {suggestion.reason}")
        paragraphs.append(f"Rule: {DRIFT_RULE}.")
    return Section("Recommended alpha", tuple(paragraphs), tuple(tables))


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


def _caveats(tasks: Sequence[TaskFacts]) -> tuple[str, ...]:
    smallest = min(tasks, key=lambda task: task.utterances["test"])
    size = (
        f"The smallest test split has {smallest.utterances['test']} utterances ({smallest.name}), and every probe was "
        "trained with one seed. Differences that a few utterances or another seed could turn around mean nothing."
    )
    heard = tuple(
        f"{task.name}: {task.from_train} of {task.utterances['test']} test utterances lie in the manifests' train "
        "split. An encoder that was fine-tuned on these manifests has heard them, though without their "
        f"{task.name} labels unless it was tuned on {task.name} itself."
        for task in tasks
        if task.from_train
    )
    return size, *heard, *(_CAVEATS[task.name] for task in tasks if task.name in _CAVEATS)


def _encoders(encoders: Sequence[EncoderFacts]) -> Section:
    rows = tuple((each.label, each.alpha or "", each.weights_hash[:16], each.path) for each in encoders)
    text = "The hash is over the weights as they were loaded and scored (SHA-256, its first 16 digits)."
    return Section("Encoders", (text,), (Table("encoders", ("encoder", "alpha", "weights", "file"), rows),))


def _data(tasks: Sequence[TaskFacts]) -> Section:
    rows = tuple(
        (task.name, split, str(task.utterances[split]), f"{task.seconds[split] / 3600:.3f}")
        for task in tasks
        for split in task.utterances
    )
    rules = tuple(
        f"{task.name}: {task.rule}."
        + "".join(f" Left out: {count} utterances, {reason}." for reason, count in task.left_out.items())
        for task in tasks
    )
    return Section("Data", rules, (Table("data", ("task", "split", "utterances", "hours"), rows),))


def _probes(scores: Sequence[Score], tasks: Sequence[TaskFacts]) -> Section:
    settings = tuple(
        (
            task.name,
            str(task.steps),
            str(task.batch_size),
            ", ".join(f"{rate:g}" for rate in task.learning_rates),
            "all" if task.crop_seconds is None else f"middle {task.crop_seconds:g} s",
        )
        for task in tasks
    )
    chosen = dict.fromkeys(
        (score.label, score.task, f"{score.learning_rate:g}", ", ".join(map(str, score.steps))) for score in scores
    )
    tables = (
        Table(
            "settings",
            ("task", "updates", "utterances per update", "learning rates tried", "heard of each utterance"),
            settings,
        ),
        Table("chosen on dev", ("encoder", "task", "learning rate", "update"), tuple(chosen)),
    )
    name, text = tasks[0].preset
    read = tuple(f"Test of {task.name} is read by {task.reading}." for task in tasks if task.reading)
    return Section("Probes", (*_PROTOCOL, f"Preset {name}: {text}", *read), tables)
