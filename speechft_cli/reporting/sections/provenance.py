"""Sections of what the results depend on, and of what they can't show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechft_cli.errors import amount
from speechft_cli.events import Table
from speechft_cli.reporting.document import Section
from speechft_cli.reporting.scores import Score

_PROTOCOL = (
    "Protocol: SUPERB's (Yang et al. 2021, arXiv 2105.01051). The encoder is frozen and in evaluation mode, every "
    "utterance is encoded alone. A probe is a softmax-weighted sum of all hidden states, whose weights train with it, "
    "and the task's probe head; Adam, gradient norm clipped to 1, no schedule.",
    "Of all learning rates and updates the probe that is best on dev by the task's first metric is kept, of equals "
    "the one with the lowest loss on dev. Test is scored once, with that probe; it takes part in no choice. The seed "
    "depends on the experiment and the task only, so equal encoders get equal scores.",
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
class SplitFacts:
    """The utterances of one task, or of one fold of it.

    Attributes:
        utterances: Split → count.
        seconds: Split → audio [s].
        left_out: Reason → utterances.
        from_train: Test utterances that lie in the manifests' train split.
    """

    utterances: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: Mapping[str, int]
    from_train: int


@dataclass(frozen=True)
class TaskFacts:
    """One task as it was run.

    Attributes:
        name: The task.
        rule: Where its splits come from, in words.
        folds: Fold → its utterances; a single one without a name where there is no cross-validation.
        steps: Updates of each probe.
        batch_size: Utterances per update.
        learning_rates: Tried.
        crop_seconds: Longest stretch heard [s]; None for all.
        preset: How probes were trained, as a name and in words.
        reading: How test was read where not greedily; None where it was.
    """

    name: str
    rule: str
    folds: Mapping[str, SplitFacts]
    steps: int
    batch_size: int
    learning_rates: Sequence[float]
    crop_seconds: float | None
    preset: tuple[str, str]
    reading: str | None

    @property
    def tested(self) -> int:
        """Utterances of test, over all folds."""
        return sum(each.utterances["test"] for each in self.folds.values())

    @property
    def from_train(self) -> int:
        """Those of them that lie in the manifests' train split."""
        return sum(each.from_train for each in self.folds.values())

    @property
    def parts(self) -> list[tuple[str, SplitFacts]]:
        """Each fold's utterances, under the task's name and the fold's."""
        return [(f"{self.name}, fold {fold}" if fold else self.name, facts) for fold, facts in self.folds.items()]


def caveats_section(scores: Sequence[Score], tasks: Sequence[TaskFacts]) -> Section:
    """Returns what the figures can't show."""
    smallest = min(tasks, key=lambda task: task.tested)
    seeds = min(len(score.seeds) for score in scores)
    size = (
        f"The smallest test split has {amount(smallest.tested, 'utterances')} ({smallest.name}), and every probe was "
        f"trained with {'one seed' if seeds == 1 else f'{seeds} seeds'}. Differences that a few utterances or another "
        "seed could turn around mean nothing."
    )
    heard = tuple(
        f"{task.name}: {task.from_train} of {task.tested} test utterances lie in the manifests' train "
        "split. An encoder that was fine-tuned on these manifests has heard them, though without their "
        f"{task.name} labels unless it was tuned on {task.name} itself."
        for task in tasks
        if task.from_train
    )
    edges = tuple(
        dict.fromkeys(
            f"{score.task}, {score.label}: the best learning rate is at the edge of those tried "
            f"({_choice(score)}); a wider range may score better."
            for score in scores
            if score.is_edge
        )
    )
    known = (_CAVEATS[task.name] for task in tasks if task.name in _CAVEATS)
    return Section("What the figures can't show", (size, *edges, *heard, *known))


def encoders_section(encoders: Sequence[EncoderFacts]) -> Section:
    """Returns what was evaluated."""
    rows = tuple((each.label, each.alpha or "", each.weights_hash[:16], each.path) for each in encoders)
    text = "The hash is over the weights as they were loaded and scored (SHA-256, its first 16 digits)."
    return Section("Encoders", (text,), tables=(Table("", ("encoder", "alpha", "weights", "file"), rows),))


def data_section(tasks: Sequence[TaskFacts]) -> Section:
    """Returns what it was evaluated on."""
    rows = tuple(
        (name, split, str(facts.utterances[split]), f"{facts.seconds[split] / 3600:.3f}")
        for task in tasks
        for name, facts in task.parts
        for split in facts.utterances
    )
    rules = tuple(
        f"{task.name}: {task.rule}."
        + "".join(
            f" Utterances left out{'' if name == task.name else f' of {name}'}: {count}, {reason}."
            for name, facts in task.parts
            for reason, count in facts.left_out.items()
        )
        for task in tasks
    )
    return Section("Data", rules, tables=(Table("", ("task", "split", "utterances", "hours"), rows),), is_folded=True)


def probes_section(scores: Sequence[Score], tasks: Sequence[TaskFacts]) -> Section:
    """Returns how it was probed."""
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
    chosen = dict.fromkeys(choice for score in scores for choice in _choices(score))
    tables = (
        Table(
            "settings",
            ("task", "updates", "utterances per update", "learning rates tried", "heard of each utterance"),
            settings,
        ),
        Table("chosen on dev", ("encoder", "task", "choice", "update"), tuple(chosen)),
    )
    name, text = tasks[0].preset
    read = tuple(f"Test of {task.name} is read by {task.reading}." for task in tasks if task.reading)
    return Section("Probes", (*_PROTOCOL, f"Preset {name}: {text}", *read), tables=tables, is_folded=True)


def facts_section(facts: Mapping[str, str]) -> Section:
    """Returns anything else that is needed to get the same again."""
    return Section("To reproduce this", tables=(Table("", ("what", "value"), tuple(facts.items())),))


def _choices(score: Score) -> list[tuple[str, str, str, str]]:
    """Returns encoder, task, choice and updates: once, or for each fold."""
    if not score.folds:
        return [(score.label, score.task, _choice(score), ", ".join(map(str, score.steps)))]
    return [
        (
            score.label,
            f"{score.task}, fold {fold.name}",
            f"learning rate {fold.learning_rate:g}",
            ", ".join(map(str, fold.steps)),
        )
        for fold in score.folds
    ]


def _choice(score: Score) -> str:
    if score.folds:
        edges = [f"{fold.learning_rate:g} in fold {fold.name}" for fold in score.folds if fold.is_edge]
        return f"learning rate {', '.join(edges)}"
    return f"layer {score.layer}" if score.learning_rate is None else f"learning rate {score.learning_rate:g}"
