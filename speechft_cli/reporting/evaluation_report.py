"""The report of an evaluation: what was compared, on what, how, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.events import Table
from speechft_cli.reporting.document import Document, Figure, Section, listed
from speechft_cli.reporting.recommendation import RULE, Recommendation
from speechft_cli.reporting.scores import Score
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
        learning_rates: Tried.
        crop_seconds: Longest stretch heard [s]; None for all.
    """

    name: str
    rule: str
    utterances: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: Mapping[str, int]
    from_train: int
    steps: int
    learning_rates: Sequence[float]
    crop_seconds: float | None


def evaluation_document(
    *,
    name: str,
    scores: Sequence[Score],
    base: str | None,
    superb: Table | None,
    encoders: Sequence[EncoderFacts],
    tasks: Sequence[TaskFacts],
    recommendation: Recommendation | None,
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
        recommendation: The best alpha, if there is one.
        figure: Scores over alpha, if there is something to draw.
        facts: Anything else to reproduce it: name → value.
    """
    sections = [_scores(scores, base)]
    if superb is not None:
        sections.append(Section(superb.title, _SUPERB, (superb,)))
    if figure is not None:
        text = "Scores over α. The base is the encoder at α = 0, the tuned one at α = 1."
        sections.append(Section("From base to tuned", (text,), figure=figure))
    if recommendation is not None:
        sections.append(Section("Recommended alpha", _recommended(recommendation)))
    sections.append(Section("What the figures can't show", _caveats(tasks)))
    sections.append(_encoders(encoders))
    sections.append(_data(tasks))
    sections.append(_probes(scores, tasks))
    rows = tuple((key, value) for key, value in facts.items())
    sections.append(Section("To reproduce this", tables=(Table("facts", ("what", "value"), rows),)))
    lead = (
        f"{len(encoders)} frozen {'encoder' if len(encoders) == 1 else 'encoders'} on "
        f"{listed([task.name for task in tasks])}."
    )
    if recommendation is not None:
        lead += f" Best alpha by dev: {recommendation.alpha.normalize():f}."
    return Document(f"{name}: evaluation", lead, tuple(sections))


def _scores(scores: Sequence[Score], base: str | None) -> Section:
    text = "The best of each column is marked; ↑ higher is better, ↓ lower is better."
    if base is not None:
        text += f" Δ is the difference from {base}, in the metric's own unit."
    text += " scores.jsonl beside this report has every figure with all that it depends on."
    tables = tuple(score_table(scores, title=split, split=split, base=base) for split in ("test", "dev"))
    return Section("Scores", (text,), tables)


def _recommended(recommendation: Recommendation) -> tuple[str, ...]:
    text = (
        f"{recommendation.label} (alpha {recommendation.alpha.normalize():f}): mean relative gain over the base on "
        f"dev {recommendation.gain:+.1%}."
    )
    return text, f"Rule: {RULE}."


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
            ", ".join(f"{rate:g}" for rate in task.learning_rates),
            "all" if task.crop_seconds is None else f"middle {task.crop_seconds:g} s",
        )
        for task in tasks
    )
    chosen = dict.fromkeys(
        (score.label, score.task, f"{score.learning_rate:g}", ", ".join(map(str, score.steps))) for score in scores
    )
    tables = (
        Table("settings", ("task", "updates", "learning rates tried", "heard of each utterance"), settings),
        Table("chosen on dev", ("encoder", "task", "learning rate", "update"), tuple(chosen)),
    )
    return Section("Probes", _PROTOCOL, tables)
