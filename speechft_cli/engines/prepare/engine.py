"""Corpus on disk → manifests: read, open every recording, list what is wrong, write."""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data import CORPORA
from speechft_cli.data.archives import obtain
from speechft_cli.data.corpora.joined import joined
from speechft_cli.data.corpus import Corpus, CorpusRequest
from speechft_cli.data.lexicon import Gaps
from speechft_cli.data.manifests.folder import write_manifests
from speechft_cli.data.manifests.prepared import (
    REJECTED,
    finished_record,
    forget_prepared,
    not_written,
    publish,
    request_hash,
    staging,
)
from speechft_cli.data.manifests.shards import write_shards
from speechft_cli.data.preparing.collated import facts_of
from speechft_cli.data.preparing.collation import collate
from speechft_cli.data.preparing.division import division
from speechft_cli.data.preparing.inspection import Limits
from speechft_cli.data.preparing.journal import Journal
from speechft_cli.data.preparing.source import read_corpus
from speechft_cli.data.preparing.sweep import Sweep
from speechft_cli.data.verdicts import Item
from speechft_cli.engines.prepare.checks import vocabulary_check
from speechft_cli.engines.prepare.report import prepared_result, progress, tell_result
from speechft_cli.engines.prepare.request import check_request, corpus_name, corpus_request, describe_request
from speechft_cli.engines.prepare.verdict import check_result
from speechft_cli.engines.prepare.work import JOURNAL, tidy, work_folder
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import RequestError, SpeechftError, amount
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started
from speechft_cli.io.ahead import cores
from speechft_cli.tasks import trained_task

_REPORT_EVERY = 50  # utterances
_PACKAGES = ("speechft", "soundfile", "torch", "torchaudio", "espeakng-loader")


@stoppable("interrupted; what is done so far is kept, and the same command goes on from there")
def run(config: Config, report: Report) -> Result:
    """Writes the manifests of a corpus into `config.data_dir`; does nothing when they are there already.

    Raises:
        RequestError: The request is wrong; nothing was written.
        UnusableCorpusError: Not a single utterance can be used; or some can't, and `strict` was asked for.
        SpeechftError: The folder can't be written to.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP; the next run goes on.
    """
    section = config.prepare
    if section is None:
        raise RequestError("prepare: must be a section of the config, is absent", "prepare: {corpus: synthetic}")
    corpus = joined([folder.absolute() for folder in section.join]) if section.join else CORPORA.get(section.corpus)
    root = None if section.root is None else section.root.absolute()
    check_request(section, corpus, root)
    out = config.data_dir.absolute()
    workers = section.workers or cores()
    wanted = corpus_request(section, root or out, seed=config.seed, workers=workers)
    if section.download:
        parts = [part for parts in section.splits.values() for part in parts]
        obtain(corpus.archives, root or out, parts=parts, page=corpus.page, report=report)
    if any(folder.resolve() == out.resolve() for folder in section.join):
        raise RequestError(f"{out}: is read, so it can't be written to", "--out names another folder")
    request = describe_request(section, root, seed=config.seed)

    record = finished_record(out, request)
    if record is not None and not (section.strict and record["rejected"]):
        found = _found(corpus, wanted, Gaps()) if corpus.needs_root else iter(())
        if not corpus.needs_root or record["listing"] == _look(found, workers=workers, report=report):
            tidy(out)
            return prepared_result(record, out, section, is_skipped=True)
    gaps = Gaps()
    found = _found(corpus, wanted, gaps)
    if corpus.needs_root:
        report(Started(f"reading {corpus_name(section)}", None, "checked"))
        with _download_named(corpus):
            first = list(itertools.islice(found, 1))  # a wrong request says so before anything is written
        found = itertools.chain(first, found)
    with work_folder(out, report) as work:
        made = 0
        if not corpus.needs_root:
            generated = _generate(section.corpus, found, out, report)
            found, made = iter(generated), len(generated)
            report(Started(f"reading {section.corpus}", None, "checked"))
        result = _prepare(
            section, found, out, work, request, seed=config.seed, workers=workers, report=report, audio_files=made
        )
    if gaps.without:
        report(Note(str(gaps), important=True))
    return result


@contextlib.contextmanager
def _download_named(corpus: Corpus) -> Iterator[None]:
    """Lets a reader's hint to the corpus's page name the shorter way, too, where there is one."""
    try:
        yield
    except RequestError as error:
        if corpus.archives and error.hint.startswith(corpus.page):
            raise RequestError(error.message, f"--download fetches it, or {error.hint}") from error
        raise


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
    audio_files: int,
) -> Result:
    limits = Limits(section.min_seconds, section.max_seconds, tuple(section.sample_rates), section.decode)
    # a generated corpus has its size already
    hours = None if audio_files else section.hours
    checks = []
    if section.split:
        checks.append(division(section.split, by=section.split_by, stratify=section.stratify, seed=seed))
    if section.task is not None:
        checks.append(vocabulary_check(trained_task(section.task, key="prepare.task"), report))
    with Journal(work / JOURNAL, request_hash(asdict(limits))) as journal, staging(out) as unfinished:
        if len(journal):
            report(Note("going on where an earlier run was stopped"))
        sweep = Sweep(found, journal, scratch=work, limits=limits, hours=hours, workers=workers, tell=progress(report))
        result = collate(
            _checked(sweep, report),
            scratch=work,
            hours=hours,
            keep_duplicates=section.keep_duplicates,
            checks=checks,
            write=lambda pieces: (
                write_shards(pieces, unfinished, per_shard=section.shard_size, kept=work / "shards")
                if section.shards
                else write_manifests(pieces, unfinished, home=out, workers=workers)
            ),
            rejected=unfinished / REJECTED,
        )
        report(Finished(f"{result.utterances} good, {result.reasons.total()} rejected"))
        if section.split:
            result.shared_recordings = None  # it was counted in the splits of before
        check_result(result, section)
        versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
        record = publish(
            unfinished,
            out,
            request=request,
            listing=sweep.listing,
            facts={**facts_of(result), "versions": versions},
            audio_files=audio_files,
        )
    tell_result(result, out, report)
    return prepared_result(record, out, section, is_skipped=False)


def _found(corpus: Corpus, request: CorpusRequest, gaps: Gaps) -> Iterator[Item]:
    try:
        yield from read_corpus(corpus, request, gaps)
    except OSError as error:
        if not corpus.needs_root:
            raise not_written(request.root, error) from error
        raise SpeechftError(
            f"{error.filename or request.root}: can't be read: {error.strerror or error}",
            "make it readable, or take it out of the corpus; the same command goes on from here",
        ) from error


def _generate(name: str, made: Iterator[Item], out: Path, report: Report) -> list[Item]:
    """Makes the audio of a generated corpus; it is there when all of it is."""
    report(Started(f"generating {name}", None, "files"))
    found: list[Item] = []
    for each in made:
        if not found:
            forget_prepared(out)  # the old manifests will not describe the new audio
        found.append(each)
        if len(found) % _REPORT_EVERY == 0:
            report(Advanced(len(found)))
    report(Finished(amount(len(found), "files")))
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
