"""Some utterances of a manifest folder: what is known of them, and what they look like."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_splits
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError, amount
from speechft_cli.events import Note, Report, Result, Table
from speechft_cli.io.atomic import atomic_path
from speechft_cli.reporting.recordings import draw_utterances

_DRAWN = 10  # utterances in one picture


def show(folder: Path, *, ids: Sequence[str], count: int, seed: int, png: Path | None, report: Report) -> Result:
    """Shows some utterances of a manifest folder.

    Args:
        folder: The manifest folder.
        ids: Which; some by chance when none is named.
        count: How many by chance.
        seed: Of chance.
        png: Where a picture of their waveforms and spectrograms goes; None for none.
        report: Gets the table.

    Raises:
        RequestError: There are no manifests, one is damaged, or there is no such utterance.
        SpeechftError: A recording can't be read.
    """
    splits = read_splits(folder)
    chosen = _find(splits, ids, folder) if ids else _draw(splits, count, seed)
    report(
        Table(
            title="utterances",
            columns=("id", "split", "seconds", "speaker", "text or labels"),
            rows=tuple(
                (each.id, split, f"{each.duration:.2f}", each.speaker or "", _words(each)) for split, each in chosen
            ),
        )
    )
    if png is not None:
        drawn = [each for _, each in chosen[:_DRAWN]]
        waveforms = [(each.id, read_waveform(each).numpy()) for each in drawn]
        with atomic_path(png) as path:
            path.write_bytes(draw_utterances(waveforms))
        report(Note(f"waveforms and spectrograms of {amount(len(drawn), 'utterances')}: {png}"))
    return Result(
        summary=f"{len(chosen)} of {amount(sum(map(len, splits.values())), 'utterances')}",
        output=str(folder.absolute()),
        data={"utterances": [_facts(split, each) for split, each in chosen], "png": None if png is None else str(png)},
    )


def _find(splits: Mapping[str, Utterances], ids: Sequence[str], folder: Path) -> list[tuple[str, Utterance]]:
    found = {}
    wanted = set(ids)
    for split, utterances in splits.items():
        for row, name in enumerate(utterances.targets("id")):
            if name in wanted:
                found[name] = (split, utterances[row])
    if missing := [name for name in ids if name not in found]:
        raise RequestError(f"{folder}: has no utterance {', '.join(missing)}", f"speechft data show {folder}")
    return [found[name] for name in ids]


def _draw(splits: Mapping[str, Utterances], count: int, seed: int) -> list[tuple[str, Utterance]]:
    sizes = [len(utterances) for utterances in splits.values()]
    rows = sorted(random.Random(seed).sample(range(sum(sizes)), min(count, sum(sizes))))
    chosen = []
    begin = 0
    for split, utterances in splits.items():
        end = begin + len(utterances)
        chosen += [(split, utterances[row - begin]) for row in rows if begin <= row < end]
        begin = end
    return chosen


def _words(utterance: Utterance) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in utterance.labels.items())
    return utterance.target("text") or labels or utterance.phones or ""


def _facts(split: str, utterance: Utterance) -> dict[str, object]:
    facts = {
        "id": utterance.id,
        "split": split,
        "audio": str(utterance.audio),
        "start": utterance.start,
        "duration": utterance.duration,
        "sample_rate": utterance.sample_rate,
    }
    names = ("text", "normalised", "phones", "speaker", "language", "licence")
    texts = {name: value for name in names if (value := getattr(utterance, name)) is not None}
    return {**facts, **texts, "labels": dict(utterance.labels), "task_splits": dict(utterance.task_splits)}
