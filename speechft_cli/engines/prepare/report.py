"""What `prepare` says while it works and in the end."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.manifests.prepared import REJECTED
from speechft_cli.data.preparing.collated import Collation
from speechft_cli.encoders.names import SMALL
from speechft_cli.engines.prepare.request import corpus_name
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started, Table
from speechft_cli.tasks import PROPOSED

_LOOKED_AT = 1000  # utterances


def progress(report: Report) -> Callable[[int, int | None], None]:
    """Tells how many utterances are checked, and, once it is known, of how many."""
    is_known = False

    def tell(done: int, total: int | None) -> None:
        nonlocal is_known
        if total is not None and not is_known:  # reading is over
            is_known = True
            report(Finished(f"{total} found"))
            report(Started("checking recordings", total, "utterances"))
        report(Advanced(done))

    return tell


def tell_result(result: Collation, out: Path, report: Report) -> None:
    """Tells what came out: a table of splits, what was rejected and why, what splits share."""
    report(
        Table(
            title="manifests",
            columns=("split", "utterances", "hours", "speakers", "sample rates [Hz]", "rejected"),
            rows=tuple(
                (
                    split,
                    str(facts.utterances),
                    f"{facts.seconds / 3600:.3f}",
                    str(len(facts.speakers)),
                    ", ".join(map(str, sorted(facts.sample_rates))),
                    str(facts.rejected),
                )
                for split, facts in result.splits.items()
                if facts.utterances or facts.rejected
            ),
        )
    )
    for line in rejections(result):
        report(Note(f"rejected: {line}", important=True))
    for line in left_out(result):
        report(Note(line))
    if result.reasons or result.by_rule:
        report(Note(f"all rejected recordings: {out / REJECTED}"))
    if speakers := result.shared_speakers:
        named = ", ".join(speakers[:3]) + (", …" if len(speakers) > 3 else "")
        report(Note(f"speakers of train who are also heard in dev or test: {len(speakers)}, {named}"))
    if result.duplicates and "duplicate audio" not in result.reasons:
        report(Note(f"kept, though another one has the same audio: {result.duplicates} of the utterances"))
    if result.shared_recordings:
        report(Note(f"recordings with utterances in several splits: {result.shared_recordings}", important=True))
    for split, facts in result.splits.items():
        if facts.beyond_hours:
            report(Note(f"{split}: utterances left out, as prepare.hours is full: {facts.beyond_hours}"))


def rejections(result: Collation) -> list[str]:
    """Returns one line per reason: how often, and the first one it happened to."""
    lines = []
    for reason, times in result.reasons.most_common():
        example = result.examples[reason]
        audio = example.audio if example.audio.isprintable() else repr(example.audio)
        lines.append(f"{reason}: {times}, e.g. {audio}{f' ({example.detail})' if example.detail else ''}")
    return lines


def left_out(result: Collation) -> list[str]:
    """Returns one line per rule of the corpus that left something out: how often."""
    return [f"left out by the corpus's own rule: {reason}: {times}" for reason, times in result.by_rule.most_common()]


def prepared_result(record: Mapping[str, object], out: Path, section: PrepareSection, *, is_skipped: bool) -> Result:
    """Returns the result that a finished folder's prepare.json describes."""
    splits = record["splits"]
    assert isinstance(splits, Mapping)
    sizes = ", ".join(f"{split} {fact['utterances']} ({fact['hours']:.2f} h)" for split, fact in splits.items())
    return Result(
        summary=f"{corpus_name(section)}: {'already prepared, skipped' if is_skipped else 'prepared'}: {sizes}",
        output=str(out),
        next_command=_next_command(section, out),
        data={
            "corpus": corpus_name(section),
            "skipped": is_skipped,
            "splits": splits,
            "rejected": record["rejected"],
            "shared": record["shared"],
            "manifest_hash": record["manifest_hash"],
        },
    )


def _next_command(section: PrepareSection, out: Path) -> str:
    if not {"train", "dev"} <= set(available_splits(out)):  # dev is what fine-tuning chooses its checkpoint by
        shares, anew = "train=0.8,dev=0.1,test=0.1", f"{out}-divided"
        return shlex.join(["speechft", "prepare", "--join", str(out), "--split", shares, "--out", anew])
    command = ["speechft", "finetune", "--encoder", SMALL, "--data", str(out), *_task(section, out), "--out", "run"]
    return shlex.join(command)


def _task(section: PrepareSection, out: Path) -> list[str]:
    """Returns the flags of a task that can be trained on the manifests; none for `asr`, which is the default."""
    if section.task is not None:
        return [] if section.task == "asr" else ["--task", section.task]
    if corpus_name(section) == "folder":
        # what the classes of a folder mean is not known; keyword spotting takes any classes
        return ["--task", "ks", "--label", "ks=label"]
    train = read_manifest(out, "train")
    for task, field in PROPOSED.items():
        if any(target is not None for target in itertools.islice(train.targets(field), _LOOKED_AT)):
            return [] if task == "asr" else ["--task", task]
    return ["--task", "hubert"]
