"""Corpus on disk → manifests: read, open every recording, list what is wrong, write."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import os
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data import CORPORA
from speechft_cli.data.archives import obtain
from speechft_cli.data.collation import Collation, collate, facts_of
from speechft_cli.data.corpora.joined import joined
from speechft_cli.data.corpus import Corpus, CorpusRequest
from speechft_cli.data.division import division
from speechft_cli.data.inspection import Item, Limits
from speechft_cli.data.journal import Journal
from speechft_cli.data.manifests import manifest_writer
from speechft_cli.data.prepared import REJECTED, finished_record, forget_prepared, publish, request_hash, staging
from speechft_cli.data.shards import shard_writer
from speechft_cli.data.source import read_corpus
from speechft_cli.data.sweep import Sweep, as_item
from speechft_cli.data.synthesis.recipe import Recipe
from speechft_cli.data.utterance import SPLITS
from speechft_cli.engines.prepare_checks import vocabulary_check
from speechft_cli.errors import InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started, Table
from speechft_cli.io.run_folder import locked
from speechft_cli.registry import unknown_name
from speechft_cli.tasks import TASKS

_REPORT_EVERY = 50  # utterances
_PACKAGES = ("speechft", "soundfile", "torch", "torchaudio", "espeakng-loader")
_WORK = ".prepare"  # folder of what an interrupted run has found


class UnusableCorpusError(SpeechftError):
    """The corpus does not give what is wanted of it; nothing was written."""


def run(config: Config, report: Report) -> Result:
    """Writes the manifests of a corpus into `config.data_dir`; does nothing when they are there already.

    Raises:
        RequestError: The request is wrong; nothing was written.
        UnusableCorpusError: Not a single utterance can be used; or some can't, and `strict` was asked for.
        SpeechftError: The folder can't be written to.
        InterruptedRunError: Ctrl-C; the next run goes on.
    """
    section = config.prepare
    if section is None:
        raise RequestError("prepare: must be a section of the config, is absent", "prepare: {corpus: synthetic}")
    corpus = joined([folder.absolute() for folder in section.join]) if section.join else CORPORA.get(section.corpus)
    root = None if section.root is None else section.root.absolute()
    if section.download and (root is not None or not corpus.needs_root):
        parts = [part for parts in section.splits.values() for part in parts]
        obtain(corpus.archives, root or config.data_dir, parts=parts, page=corpus.page, report=report)
    _check_request(section, corpus, root)
    _check_split(section)
    out = config.data_dir.absolute()
    request = _describe_request(section, root, seed=config.seed)
    workers = section.workers or _cores()
    wanted = _wanted(section, root or out, seed=config.seed, workers=workers)

    record = finished_record(out, request)
    if record is not None and not (section.strict and record["rejected"]):
        found = _found(corpus, wanted) if corpus.needs_root else iter(())
        if not corpus.needs_root or record["listing"] == _look(found, workers=workers, report=report):
            return _result(record, out, section, is_skipped=True)
    if corpus.needs_root:
        found = _found(corpus, wanted)
        first = list(itertools.islice(found, 1))  # a wrong request says so before anything is written
        with _work_folder(out) as work:
            found = itertools.chain(first, found)
            return _prepare(section, found, out, work, request, seed=config.seed, workers=workers, report=report)
    with _work_folder(out) as work:
        generated = _generate(section.corpus, corpus, wanted, out, report)
        return _prepare(
            section,
            generated,
            out,
            work,
            request,
            seed=config.seed,
            workers=workers,
            report=report,
            audio_files=len(generated),
        )


def _prepare(
    section: PrepareSection,
    found: Iterable[Item],
    out: Path,
    work: Path,
    request: Mapping[str, object],
    *,
    seed: int,
    workers: int,
    report: Report,
    audio_files: int = 0,
) -> Result:
    limits = Limits(section.min_seconds, section.max_seconds, tuple(section.sample_rates), section.decode)
    # a generated corpus has its size already
    hours = None if audio_files else section.hours
    checks = []
    if section.split:
        checks.append(division(section.split, by=section.split_by, stratify=section.stratify, seed=seed))
    if section.task is not None:
        checks.append(vocabulary_check(TASKS.get(section.task)))
    with Journal(work / "journal", request_hash(asdict(limits))) as journal, staging(out) as unfinished:
        if len(journal):
            report(Note("going on where an earlier run was stopped"))
        report(Started(f"reading {_name(section)}", None, "checked"))
        sweep = Sweep(
            found,
            journal,
            scratch=work,
            limits=limits,
            hours=hours,
            workers=workers,
            tell=_progress(report),
        )
        result = collate(
            _checked(sweep, report),
            scratch=work,
            hours=hours,
            keep_duplicates=section.keep_duplicates,
            checks=checks,
            open_manifest=lambda split: (
                shard_writer(unfinished, split, per_shard=section.shard_size)
                if section.shards
                else manifest_writer(unfinished, split, home=out)
            ),
            rejected=unfinished / REJECTED,
        )
        report(Finished(f"{result.utterances} good, {result.reasons.total()} rejected"))
        if section.split:
            result.shared_recordings = None  # it was counted in the splits of before
        _check_result(result, section)
        versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
        record = publish(
            unfinished,
            out,
            request=request,
            listing=sweep.listing,
            facts={**facts_of(result), "versions": versions},
            audio_files=audio_files,
        )
    _tell(result, out, report)
    return _result(record, out, section, is_skipped=False)


def _check_result(result: Collation, section: PrepareSection) -> None:
    hint = "nothing was written; correct the recordings or prepare.min_seconds and max_seconds"
    if not result.utterances:
        raise UnusableCorpusError(
            "\n".join([f"{_name(section)}: not a single utterance can be used", *_reasons(result)]), hint
        )
    if section.strict and result.reasons:
        raise UnusableCorpusError(
            "\n".join(
                [f"{_name(section)}: {result.reasons.total()} utterances can't be used (strict)", *_reasons(result)]
            ),
            f"{hint}; without --strict they are listed in {REJECTED} and left out",
        )


@contextlib.contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Gives a folder that survives an interruption and nothing else, under the lock of the manifest folder."""
    was_there = out.exists()
    work = out / _WORK
    with locked(out):
        try:
            work.mkdir(exist_ok=True)
            yield work
        except KeyboardInterrupt:
            raise InterruptedRunError("prepare: interrupted", "the same command goes on from here") from None
        except (RequestError, UnusableCorpusError):
            shutil.rmtree(work if was_there else out, ignore_errors=True)
            raise
        except OSError as error:
            raise SpeechftError(f"{out}: can't be written: {error}", "check the disk space and permissions") from error
        shutil.rmtree(work, ignore_errors=True)


def _found(corpus: Corpus, request: CorpusRequest) -> Iterator[Item]:
    try:
        for found in read_corpus(corpus, request):
            yield as_item(found)
    except OSError as error:
        raise RequestError(f"{request.root}: can't be read: {error}") from error


def _generate(name: str, corpus: Corpus, request: CorpusRequest, out: Path, report: Report) -> list[Item]:
    """Makes the audio of a generated corpus; it is there when all of it is."""
    report(Started(f"generating {name}", None, "files"))
    found: list[Item] = []
    for each in _found(corpus, request):
        if not found:
            forget_prepared(out)  # the old manifests will not describe the new audio
        found.append(each)
        if len(found) % _REPORT_EVERY == 0:
            report(Advanced(len(found)))
    report(Finished(f"{len(found)} files"))
    return found


def _look(found: Iterator[Item], *, workers: int, report: Report) -> str:
    """Returns the listing of what lies there, without opening it."""
    report(Started("looking for changes", None, "files"))
    sweep = Sweep(
        found, None, scratch=None, limits=None, hours=None, workers=workers, tell=lambda done, _: report(Advanced(done))
    )
    for _ in sweep:
        pass
    report(Finished())
    return sweep.listing


def _checked(sweep: Sweep, report: Report) -> Iterator[bytes]:
    yield from sweep
    report(Finished())
    report(Started("sorting and writing"))


def _progress(report: Report) -> Callable[[int, int | None], None]:
    """Tells how many utterances are checked, how fast, and, once their number is known, for how long still."""
    begin = time.monotonic()
    is_known = False

    def tell(done: int, total: int | None) -> None:
        nonlocal is_known
        rate = done / max(time.monotonic() - begin, 1e-3)
        if total is None:
            report(Advanced(done, f"{rate:.0f}/s"))
            return
        if not is_known:  # reading is over
            is_known = True
            report(Finished(f"{total} found"))
            report(Started("checking recordings", total, "utterances"))
        left = f", {(total - done) / rate:.0f} s left" if done < total else ""
        report(Advanced(done, f"{rate:.0f}/s{left}"))

    return tell


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _check_request(section: PrepareSection, corpus: Corpus, root: Path | None) -> None:
    if section.join:
        if root is not None or section.splits:
            key = "root" if root is not None else "splits"
            raise RequestError(f"prepare.{key}: must be absent beside prepare.join")
    elif corpus.needs_root and (root is None or not root.exists()):
        raise RequestError(
            f"prepare.root: must be where the corpus {section.corpus!r} lies, "
            f"got {'nothing' if root is None else f'{root}, which does not exist'}",
            f"speechft prepare {section.corpus} --root DIR{' --download' if corpus.archives else ''}",
        )
    if not corpus.needs_root and (root is not None or section.splits):
        key = "root" if root is not None else "splits"
        raise RequestError(
            f"prepare.{key}: must be absent for {section.corpus!r}, which makes its own audio and splits",
            f"speechft prepare {section.corpus} --out DIR",
        )
    for split in section.splits:
        if split not in SPLITS:
            raise RequestError(f"prepare.splits: {unknown_name(split, list(SPLITS))}")
    parts = Counter(part for named in section.splits.values() for part in named)
    if twice := [part for part, times in parts.items() if times > 1]:
        raise RequestError(f"prepare.splits: must name each part once, names {', '.join(twice)} again")
    if section.min_seconds > section.max_seconds:
        raise RequestError(
            f"prepare.min_seconds: must be at most max_seconds, got {section.min_seconds:g} > {section.max_seconds:g}"
        )
    if section.task is not None and TASKS.get(section.task).is_closed_set:
        raise RequestError(
            f"prepare.task: must be a task with a vocabulary of symbols, got {section.task!r}, "
            "whose classes are those of its train split",
            "prepare.task: asr",
        )


def _check_split(section: PrepareSection) -> None:
    for split in section.split:
        if split not in SPLITS:
            raise RequestError(f"prepare.split: {unknown_name(split, list(SPLITS))}")
    if section.split and abs(sum(section.split.values()) - 1) > 1e-6:
        raise RequestError(
            f"prepare.split: must have shares that sum to 1, sum to {sum(section.split.values()):g}",
            "prepare.split: {train: 0.8, dev: 0.1, test: 0.1}",
        )
    if not section.split and (section.stratify is not None or section.split_by != "utterance"):
        key = "stratify" if section.stratify is not None else "split_by"
        raise RequestError(f"prepare.{key}: must come with prepare.split", "prepare.split: {train: 0.9, dev: 0.1}")


def _describe_request(section: PrepareSection, root: Path | None, *, seed: int) -> dict[str, object]:
    """Everything the manifests depend on."""
    return {
        "corpus": _name(section),
        "join": [str(folder.absolute()) for folder in section.join],
        "split": dict(section.split),
        "split_by": section.split_by,
        "stratify": section.stratify,
        "root": None if root is None else str(root),
        "splits": {split: list(parts) for split, parts in sorted(section.splits.items())},
        "hours": section.hours,
        "order": section.order,
        "lexicon": None if section.lexicon is None else str(section.lexicon.absolute()),
        "synthetic": section.synthetic.model_dump(),
        "min_seconds": section.min_seconds,
        "max_seconds": section.max_seconds,
        "sample_rates": list(section.sample_rates),
        "decode": section.decode,
        "shards": section.shard_size if section.shards else None,
        "keep_duplicates": section.keep_duplicates,
        "task": section.task,
        "seed": seed,
    }


def _wanted(section: PrepareSection, root: Path, *, seed: int, workers: int) -> CorpusRequest:
    synthetic = section.synthetic
    return CorpusRequest(
        root,
        splits=section.splits,
        hours=section.hours,
        seed=seed,
        order=section.order,
        lexicon=section.lexicon,
        recipe=Recipe(tuple(synthetic.contents), synthetic.speakers, synthetic.snr, synthetic.reverberation),
        workers=workers,
    )


def _name(section: PrepareSection) -> str:
    return "join" if section.join else section.corpus


def _reasons(result: Collation) -> list[str]:
    """One line per reason: how often, and the first one it happened to."""
    lines = []
    for reason, times in result.reasons.most_common():
        example = result.examples[reason]
        audio = example.audio if example.audio.isprintable() else repr(example.audio)
        lines.append(f"{reason}: {times}, e.g. {audio}{f' ({example.detail})' if example.detail else ''}")
    return lines


def _tell(result: Collation, out: Path, report: Report) -> None:
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
    for line in _reasons(result):
        report(Note(f"rejected: {line}", important=True))
    for reason, times in result.by_rule.most_common():
        report(Note(f"left out by the corpus's own rule: {reason}: {times}"))
    if result.reasons or result.by_rule:
        report(Note(f"all rejected recordings: {out / REJECTED}"))
    if speakers := result.shared_speakers:
        named = ", ".join(speakers[:3]) + (", …" if len(speakers) > 3 else "")
        report(Note(f"{len(speakers)} speakers of train are also heard in dev or test: {named}"))
    if result.duplicates and "duplicate audio" not in result.reasons:
        report(Note(f"{result.duplicates} utterances have the same audio as another one, and are kept"))
    if result.shared_recordings:
        report(Note(f"{result.shared_recordings} recordings have utterances in several splits", important=True))
    for split, facts in result.splits.items():
        if facts.beyond_hours:
            report(Note(f"{split}: {facts.beyond_hours} utterances left out, prepare.hours is full"))


def _result(record: Mapping[str, object], out: Path, section: PrepareSection, *, is_skipped: bool) -> Result:
    splits = record["splits"]
    assert isinstance(splits, Mapping)
    sizes = ", ".join(f"{split} {fact['utterances']} ({fact['hours']:.2f} h)" for split, fact in splits.items())
    return Result(
        summary=f"{_name(section)}: {'already prepared, skipped' if is_skipped else 'prepared'}: {sizes}",
        output=str(out),
        next_command=shlex.join(["speechft", "finetune", "--data", str(out), "--encoder", "CHECKPOINT"]),
        data={
            "corpus": _name(section),
            "skipped": is_skipped,
            "splits": splits,
            "rejected": record["rejected"],
            "shared": record["shared"],
            "manifest_hash": record["manifest_hash"],
        },
    )
