"""Corpus on disk → manifests: read, open every recording, list what is wrong, write."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data import CORPORA
from speechft_cli.data.archives import obtain
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.inspection import inspect_utterance
from speechft_cli.data.prepared import REJECTED, finished_record, forget_prepared, write_prepared
from speechft_cli.data.source import read_corpus
from speechft_cli.data.synthesis.recipe import Recipe
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Advanced, Finished, Note, Report, Result, Started, Table
from speechft_cli.io.run_folder import locked
from speechft_cli.registry import unknown_name

_REPORT_EVERY = 50  # utterances
_PACKAGES = ("speechft", "lhotse", "soundfile", "torch", "torchaudio", "espeakng-loader")


@dataclass
class _Sorted:
    """What became of a corpus."""

    kept: dict[str, list[Utterance]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    rejected: list[Rejected] = field(default_factory=list)
    beyond_hours: Counter[str] = field(default_factory=Counter)


def run(config: Config, report: Report) -> Result:
    """Writes the manifests of a corpus into `config.data_dir`; does nothing when they are there already.

    Raises:
        RequestError: The request is wrong; nothing was written.
        SpeechftError: Not a single utterance can be used, or the folder can't be written to.
    """
    section = config.prepare
    if section is None:
        raise RequestError("prepare: must be a section of the config, is absent", "prepare: {corpus: synthetic}")
    corpus = CORPORA.get(section.corpus)
    root = None if section.root is None else section.root.absolute()
    if section.download and (root is not None or not corpus.needs_root):
        parts = [part for parts in section.splits.values() for part in parts]
        obtain(corpus.archives, root or config.data_dir, parts=parts, page=corpus.page, report=report)
    _check_request(section, corpus, root)
    out = config.data_dir.absolute()
    # a generated corpus writes its audio while it is read; the others write nothing until all is checked
    with contextlib.nullcontext() if corpus.needs_root else locked(out):
        return _prepare(section, corpus, root, out, seed=config.seed, report=report)


def _prepare(
    section: PrepareSection, corpus: Corpus, root: Path | None, out: Path, *, seed: int, report: Report
) -> Result:
    request = _describe_request(section, root, seed=seed)
    if not corpus.needs_root and (record := finished_record(out, request)):
        return _result(record, out, section, is_skipped=True)
    found = _read(corpus, section, root, out, seed=seed, report=report)
    if corpus.needs_root:
        request["listing"] = _listing_hash(found)  # a repaired corpus is another request
        if record := finished_record(out, request):
            return _result(record, out, section, is_skipped=True)
    result = _inspect(found, section, hours=section.hours if corpus.needs_root else None, report=report)
    if not any(result.kept.values()):
        raise SpeechftError(
            "\n".join([f"{section.corpus}: not a single utterance can be used", *_reasons(result.rejected)]),
            "nothing was written; correct the recordings or prepare.min_seconds and max_seconds",
        )
    with locked(out) if corpus.needs_root else contextlib.nullcontext():
        record = write_prepared(
            out,
            result.kept,
            result.rejected,
            request=request,
            facts=_facts(result),
            audio_files=0 if corpus.needs_root else len(found),
        )
    _tell(result, out, report)
    return _result(record, out, section, is_skipped=False)


def _check_request(section: PrepareSection, corpus: Corpus, root: Path | None) -> None:
    if corpus.needs_root and (root is None or not root.exists()):
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


def _describe_request(section: PrepareSection, root: Path | None, *, seed: int) -> dict[str, object]:
    """Everything the manifests depend on."""
    return {
        "corpus": section.corpus,
        "root": None if root is None else str(root),
        "splits": {split: list(parts) for split, parts in sorted(section.splits.items())},
        "hours": section.hours,
        "order": section.order,
        "lexicon": None if section.lexicon is None else str(section.lexicon.absolute()),
        "synthetic": section.synthetic.model_dump(),
        "min_seconds": section.min_seconds,
        "max_seconds": section.max_seconds,
        "seed": seed,
    }


def _wanted(section: PrepareSection, root: Path, *, seed: int) -> CorpusRequest:
    synthetic = section.synthetic
    return CorpusRequest(
        root,
        splits=section.splits,
        hours=section.hours,
        seed=seed,
        order=section.order,
        lexicon=section.lexicon,
        recipe=Recipe(tuple(synthetic.contents), synthetic.speakers, synthetic.snr, synthetic.reverberation),
        workers=len(os.sched_getaffinity(0)),
    )


def _read(
    corpus: Corpus, section: PrepareSection, root: Path | None, out: Path, *, seed: int, report: Report
) -> list[Found]:
    report(Started(f"reading {section.corpus}" if corpus.needs_root else f"generating {section.corpus}", None, "files"))
    request = _wanted(section, root or out, seed=seed)
    found: list[Found] = []
    try:
        for each in read_corpus(corpus, request):
            if not found and not corpus.needs_root:
                forget_prepared(out)  # the old manifests will not describe the new audio
            found.append(each)
            if len(found) % _REPORT_EVERY == 0:
                report(Advanced(len(found)))
    except OSError as error:
        raise RequestError(f"{root or out}: can't be read: {error}") from error
    report(Finished(f"{len(found)} files"))
    return found


def _listing_hash(found: Sequence[Found]) -> str:
    """Names what the reader found and the state of the files, without opening them."""
    digest = hashlib.sha256()
    for each in found:
        audio = each.audio if isinstance(each, Rejected) else each[1].audio
        try:
            state = audio.stat()
            digest.update(f"{each!r} {state.st_size} {state.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(f"{each!r} absent\n".encode())
    return digest.hexdigest()


def _inspect(found: Sequence[Found], section: PrepareSection, *, hours: float | None, report: Report) -> _Sorted:
    """Opens the recordings in corpus order, in each split until `hours` are full."""
    result = _Sorted()
    ids: set[str] = set()
    seconds: Counter[str] = Counter()
    full: set[str] = set()
    report(Started("checking recordings", len(found), "utterances"))
    for done, each in enumerate(found, start=1):
        split = each.split if isinstance(each, Rejected) else each[0]
        if split in full:
            result.beyond_hours[split] += 1
            continue
        checked = each if isinstance(each, Rejected) else _inspect_one(each[1], split, ids, section)
        if isinstance(checked, Rejected):
            result.rejected.append(checked)
        elif hours is not None and seconds[split] + checked.duration > hours * 3600:
            full.add(split)
            result.beyond_hours[split] += 1
        else:
            seconds[split] += checked.duration  # type: ignore[assignment]
            ids.add(checked.id)
            result.kept[split].append(checked)
        if done % _REPORT_EVERY == 0 or done == len(found):
            report(Advanced(done))
    report(Finished(f"{sum(map(len, result.kept.values()))} good, {len(result.rejected)} rejected"))
    return result


def _inspect_one(utterance: Utterance, split: str, ids: set[str], section: PrepareSection) -> Utterance | Rejected:
    if utterance.id in ids:
        return Rejected(utterance.id, utterance.audio, split, "duplicate id")
    return inspect_utterance(utterance, split, min_seconds=section.min_seconds, max_seconds=section.max_seconds)


def _facts(result: _Sorted) -> dict[str, object]:
    rejected = Counter(each.split for each in result.rejected)
    splits = {
        split: {
            "utterances": len(utterances),
            "hours": round(sum(each.duration for each in utterances) / 3600, 6),
            "speakers": len({each.speaker for each in utterances if each.speaker is not None}),
            "sample_rates": sorted({each.sample_rate for each in utterances}),
            "rejected": rejected[split],
            "beyond_hours": result.beyond_hours[split],
        }
        for split, utterances in result.kept.items()
        if utterances or rejected[split]
    }
    return {
        "splits": splits,
        "rejected": dict(Counter(each.reason for each in result.rejected)),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _reasons(rejected: Sequence[Rejected]) -> list[str]:
    """One line per reason: how often, and the first one it happened to."""
    lines = []
    for reason, times in Counter(each.reason for each in rejected).most_common():
        example = next(each for each in rejected if each.reason == reason)
        lines.append(f"{reason}: {times}, e.g. {example.audio}{f' ({example.detail})' if example.detail else ''}")
    return lines


def _tell(result: _Sorted, out: Path, report: Report) -> None:
    facts = _facts(result)["splits"]
    assert isinstance(facts, dict)
    report(
        Table(
            title="manifests",
            columns=("split", "utterances", "hours", "speakers", "sample rates [Hz]", "rejected"),
            rows=tuple(
                (
                    split,
                    str(fact["utterances"]),
                    f"{fact['hours']:.3f}",
                    str(fact["speakers"]),
                    ", ".join(map(str, fact["sample_rates"])),
                    str(fact["rejected"]),
                )
                for split, fact in facts.items()
            ),
        )
    )
    for line in _reasons(result.rejected):
        report(Note(f"rejected: {line}", important=True))
    if result.rejected:
        report(Note(f"all rejected recordings: {out / REJECTED}"))
    for split, count in result.beyond_hours.items():
        report(Note(f"{split}: {count} utterances left out, prepare.hours is full"))


def _result(record: Mapping[str, object], out: Path, section: PrepareSection, *, is_skipped: bool) -> Result:
    splits = record["splits"]
    assert isinstance(splits, Mapping)
    sizes = ", ".join(f"{split} {fact['utterances']} ({fact['hours']:.2f} h)" for split, fact in splits.items())
    return Result(
        summary=f"{section.corpus}: {'already prepared, skipped' if is_skipped else 'prepared'}: {sizes}",
        output=str(out),
        next_command=shlex.join(["speechft", "finetune", "--data", str(out), "--encoder", "CHECKPOINT"]),
        data={
            "corpus": section.corpus,
            "skipped": is_skipped,
            "splits": splits,
            "rejected": record["rejected"],
            "manifest_hash": record["manifest_hash"],
        },
    )
