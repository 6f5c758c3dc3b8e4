"""The model card of a merged encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from speechft_cli.errors import amount
from speechft_cli.merging import METHODS


def merge_card(record: Mapping[str, object], files: Mapping[str, str]) -> str:
    """Returns the card as Markdown with a YAML head that model hubs read.

    Args:
        record: The content of merge.json.
        files: Format → name of the file or folder.
    """
    output = cast("Mapping[str, object]", record["output"])
    base = cast("Mapping[str, object]", record["base"])
    tuned = cast("Sequence[Mapping[str, object]]", record["tuned"])
    parameters = cast("Mapping[str, object]", record["parameters"])
    moved = cast("Mapping[str, float | None]", output["moved"])
    proviso = METHODS.get(str(record["method"])).proviso
    adds = f"{_numbers(record['effective_alpha'])}{f' ({proviso})' if proviso else ''}"
    license_ = str(record.get("license") or "")
    head = ["---", f"license: {license_}"] if license_ else ["---"]
    lines = [
        *head,
        "tags: [speech, feature-extraction, merge, speechft]",
        "---",
        "",
        f"# {record['family']} encoder, merged with {record['method']} at α = {record['alpha']:g}",
        "",
        f"Between a base and {amount(len(tuned), 'models')} fine-tuned from it. Written by speechft "
        f"{record['speechft']}, {record['created']}; merge.json beside this card says the same for programs.",
        "",
        "| | |",
        "|---|---|",
        f"| method | {record['method']}: {record['paper']} |",
        f"| parameters | {_said(parameters)} |",
        f"| α, and what it adds of each tuned model | {record['alpha']:g}: {adds} |",
        f"| filters | {'; '.join(map(_said, cast('Sequence[Mapping[str, object]]', record['filters']))) or 'none'} |",
        f"| weight-normed convolutions | {record['weight_norm']} |",
        f"| licence of the base | {license_ or 'not known: ask whoever made it'} |",
        "",
        "## Made of",
        "",
        "| | file | SHA-256 of the weights in it |",
        "|---|---|---|",
        f"| base | {_source(base)} | {base['weights_sha256']} |",
        *(f"| tuned | {_source(each)} | {each['weights_sha256']} |" for each in tuned),
        "",
        f"This is {' and '.join(files.values())}, whose own SHA-256 merge.json has.",
        "",
        "## How far each part moved",
        "",
        "Distance from the base, where the tuned models' is 1.",
        "",
        "| part | moved |",
        "|---|---|",
        *(f"| {part} | {'unchanged' if share is None else f'{share:.4f}'} |" for part, share in moved.items()),
        "",
    ]
    return "\n".join(lines)


def _source(record: Mapping[str, object]) -> str:
    """Where a model lies, and what it is called where it has a name."""
    return f"{record['name']}, {record['path']}" if "name" in record else str(record["path"])


def _said(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "none"


def _numbers(values: object) -> str:
    return ", ".join(f"{value:g}" for value in cast("Sequence[float]", values))
