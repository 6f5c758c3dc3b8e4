"""`speechft prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct, read_config
from speechft_cli.cli.names import completer, one_of
from speechft_cli.cli.options import AsJson, ConfigFile, Out, Seed, Sets, named
from speechft_cli.errors import RequestError


def prepare(
    context: typer.Context,
    corpus: Annotated[
        str | None,
        typer.Argument(
            metavar="CORPUS", help="Corpus; `speechft list corpora` shows them.", autocompletion=completer("corpora")
        ),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Where the corpus lies; synthetic needs none.")
    ] = None,
    out: Out = None,
    download: Annotated[
        bool | None, typer.Option("--download", help="Fetch the corpus into --root first, where anybody may.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", metavar="H", help="Keep at most this many hours of each split.")
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="corpus|random",
            help="Which utterances --hours keeps.",
            autocompletion=one_of("corpus", "random"),
        ),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", metavar="FILE", help="Pronunciations, for phonemes of the transcripts.")
    ] = None,
    splits: Annotated[
        str | None,
        typer.Option("--splits", metavar="NAME=PART+PART,…", help="For example train=train-clean-100,dev=dev-clean."),
    ] = None,
    join: Annotated[
        list[Path] | None,
        typer.Option("--join", metavar="DIR", help="Manifest folder to read in place of a corpus; repeatable."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME=SHARE,…", help="Divide anew: train=0.8,dev=0.1,test=0.1.")
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="UNIT",
            help="What --split keeps together: utterance or speaker.",
            autocompletion=one_of("utterance", "speaker"),
        ),
    ] = None,
    stratify: Annotated[
        str | None, typer.Option("--stratify", metavar="FIELD", help="Field with the same shares in every split.")
    ] = None,
    shards: Annotated[
        bool | None, typer.Option("--shards", help="Write Shar archives that hold the audio.", show_default=False)
    ] = None,
    decode: Annotated[
        bool | None, typer.Option("--decode", help="Decode every sample, not only headers.", show_default=False)
    ] = None,
    task: Annotated[
        str | None, named("--task", "tasks", "Reject targets outside the vocabulary of this task.", metavar="TASK")
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict", help="End with an error when anything is rejected.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes that open recordings.")
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Turn a corpus on disk into manifests."""
    if corpus is not None and join:
        raise RequestError(
            f"CORPUS: must be absent beside --join, got {corpus!r}", "prepare it alone first, then --join its manifests"
        )
    loaded = read_config(
        config,
        sets,
        flags={
            "prepare.corpus": corpus,
            "prepare.root": root,
            "prepare.out": out,
            "prepare.download": download,
            "prepare.hours": hours,
            "prepare.order": order,
            "prepare.lexicon": lexicon,
            "prepare.splits": None if splits is None else parse_splits(splits),
            "prepare.join": join or None,
            "prepare.split": None if split is None else parse_shares(split),
            "prepare.split_by": split_by,
            "prepare.stratify": stratify,
            "prepare.shards": shards,
            "prepare.decode": decode,
            "prepare.task": task,
            "prepare.strict": strict,
            "prepare.workers": workers,
            "seed": seed,
        },
        needs={"CORPUS": corpus is not None or bool(join)},
    )
    from speechft_cli.engines import prepare as engine

    conduct(
        context,
        lambda report: engine.run(loaded, report),
        as_json=as_json,
        config=config,
        then="" if loaded.finetune is None else "finetune",
    )


def parse_splits(text: str) -> dict[str, list[str]]:
    """Reads `train=a+b,dev=c` as train: [a, b], dev: [c].

    Raises:
        RequestError: It is not of that form, or names a split twice.
    """
    splits: dict[str, list[str]] = {}
    for item in text.split(","):
        name, separator, parts = item.partition("=")
        if not separator or not name or not all(parts.split("+")):
            raise RequestError(
                f"--splits: must be NAME=PART+PART,…, got {item!r}", "--splits train=train-clean-100,dev=dev-clean"
            )
        if name in splits:
            raise RequestError(f"--splits: must name {name!r} once, got it twice", f"{name}=PART+PART joins parts")
        splits[name] = parts.split("+")
    return splits


def parse_shares(text: str) -> dict[str, float]:
    """Reads `train=0.8,dev=0.2` as train: 0.8, dev: 0.2.

    Raises:
        RequestError: It is not of that form.
    """
    try:
        pairs = [item.split("=") for item in text.split(",")]
        shares = {name.strip(): float(share) for name, share in pairs}
    except ValueError:
        shares = {}
    if not shares or len(shares) < text.count(",") + 1:
        raise RequestError(f"--split: must be NAME=SHARE,…, got {text!r}", "--split train=0.8,dev=0.1,test=0.1")
    return shares
