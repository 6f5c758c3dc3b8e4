"""`speechft demo`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from speechft_cli.cli.conduct import conduct
from speechft_cli.cli.options import AsJson
from speechft_cli.errors import InterruptedRunError, RequestError

if TYPE_CHECKING:
    from speechft_cli.config.schema import Config
    from speechft_cli.events import Report, Result, Table

_ARROWS = {"higher": "↑", "lower": "↓"}
#: In the demo's folder: which files the demo wrote there, so that the next one removes these and no others.
_DIARY = "demo.json"


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Run the whole job in minutes, on synthetic speech."""
    from speechft_cli.engines import evaluate, finetune, merge, prepare

    engines = {"prepare": prepare.run, "finetune": finetune.run, "merge": merge.run, "evaluate": evaluate.run}
    conduct(context, lambda report: _run(out, engines, report), as_json=as_json)


def _run(out: Path, engines: Mapping[str, Callable[[Config, Report], Result]], report: Report) -> Result:
    from speechft_cli.cli.editors import write_config
    from speechft_cli.config.load import load_config
    from speechft_cli.config.templates import template_path
    from speechft_cli.events import Note, Result

    with fresh_folder(out), _begun_again():
        file = out / "speechft.yaml"
        write_config(file, template_path("demo").read_text(encoding="utf-8"))
        config = load_config(file).config
        data: dict[str, dict[str, object]] = {}
        results = {}
        for name, run in engines.items():
            report(Note(f"{name} …"))
            results[name] = run(config, report)
            data[name] = dict(results[name].data)
    report(what_matters(data["evaluate"]))
    return Result(
        summary=f"demo done: {results['evaluate'].summary}",
        output=results["evaluate"].output,
        next_command=f"speechft config show -c {shlex.quote(str(file))}",
        data=data,
    )


@contextmanager
def _begun_again() -> Iterator[None]:
    """Says how a demo that was interrupted goes on, which is otherwise than its commands would.

    A signal between two of them, or before one of them saves what it has, is no kill either.
    """
    from speechft_cli.engines.stopping import stoppable

    said = "interrupted; a demo begins again from the start"
    try:
        with stoppable(said):
            yield
    except InterruptedRunError as error:
        raise InterruptedRunError(said, exit_code=error.exit_code) from error


def what_matters(evaluation: Mapping[str, object]) -> Table:
    """Returns what a demo is looked at for: test scores of base, tuned, and the best encoder between them by dev.

    Args:
        evaluation: What `evaluate` gives for programs.
    """
    from speechft_cli.events import Table

    scores = [each for each in cast("list[dict[str, Any]]", evaluation["scores"]) if each["split"] == "test"]
    chosen = cast("Mapping[str, str] | None", evaluation["recommended"])
    best = chosen["label"] if chosen else None
    rows = {"base": "base, as pre-trained", "tuned": "tuned on asr", best: f"{best}, best by dev"}
    columns = list(dict.fromkeys((each["task"], each["metric"]) for each in scores))
    cells = {(each["label"], each["task"], each["metric"]): each for each in scores}
    heads = [next(each for each in scores if (each["task"], each["metric"]) == column) for column in columns]
    return Table(
        "what matters",
        ("encoder", *(f"{each['title']} {each['unit']} {_ARROWS[each['better']]}" for each in heads)),
        tuple(
            (text, *(f"{cells[label, *column]['value']:.2f}" for column in columns))
            for label, text in rows.items()
            if label is not None
        ),
    )


@contextmanager
def fresh_folder(out: Path) -> Iterator[None]:
    """Removes what an earlier demo wrote into `out`, and notes what this one writes.

    Raises:
        RequestError: The folder holds something that no demo wrote, or a demo that was killed.
    """
    from speechft_cli.io.atomic import write_json
    from speechft_cli.training.interrupt import Interruptible

    diary = out / _DIARY
    if diary.exists():
        _remove(out, _wrote(diary))
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(
            f"--out: must be empty or the folder of an earlier demo, got {out}", "speechft demo --out ANOTHER"
        )
    foreign = _files(out)
    write_json(diary, {"wrote": None})
    try:
        yield
    finally:
        with Interruptible():  # whoever is impatient presses Ctrl-C twice
            write_json(diary, {"wrote": sorted(_files(out) - foreign)})


def _wrote(diary: Path) -> list[str]:
    try:
        wrote = json.loads(diary.read_text(encoding="utf-8"))["wrote"]
    except (ValueError, KeyError, TypeError):
        wrote = None
    if not isinstance(wrote, list):
        raise RequestError(
            f"{diary.parent}: holds a demo that was killed, so what belongs to it is not known",
            f"rm -r {shlex.quote(str(diary.parent))}, or speechft demo --out ANOTHER",
        )
    return [str(name) for name in wrote]


def _remove(out: Path, names: list[str]) -> None:
    home = out.resolve()
    for name in names:
        path = home / name
        if path.resolve().parent.is_relative_to(home):  # an edited diary can't name files elsewhere
            path.unlink(missing_ok=True)
    folders = sorted({parent for name in names for parent in (home / name).parents if parent.is_relative_to(home)})
    for folder in reversed(folders):
        if folder != home and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir() and path.name != _DIARY}
