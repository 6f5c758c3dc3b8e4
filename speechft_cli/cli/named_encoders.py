"""What `speechft list checkpoints` says: the encoders that have a name, and what else may stand in their place."""

from __future__ import annotations

from speechft_cli.encoders.local import kept_folder
from speechft_cli.encoders.names import checkpoints, family_of, shipped_file
from speechft_cli.errors import RequestError
from speechft_cli.io.kept import read_record
from speechft_cli.registry import unknown_name

#: What is no name itself but makes one → what it is, where that comes from.
_FORMS = {
    "hf:ORG/NAME[@REVISION]": ("a repository of the Hugging Face hub with config.json and weights", "huggingface.co"),
    "random:FAMILY-SIZE[@SEED]": ("random weights, for evaluate and extract", "speechft list encoders"),
    "logmel": ("80 log mel bands with deltas, for evaluate and extract", "SUPERB's FBANK, arXiv 2105.01051"),
}
_EXAMPLE = "speechft finetune --encoder {name} --data data --task asr --out run"


def checkpoint_lines() -> dict[str, dict[str, str]]:
    """Returns name → summary and source; imports no torch."""
    lines = {
        name: {"summary": f"{each.summary}; licence: {each.license}", "source": _place(each.url)}
        for name, each in checkpoints().items()
    }
    return lines | {name: {"summary": summary, "source": source} for name, (summary, source) in _FORMS.items()}


def _place(url: str) -> str:
    """The repository of an address, which is short enough for a list."""
    return url.removeprefix("https://").partition("/resolve/")[0] if url else "comes with speechft, no download"


def checkpoint_facts(name: str) -> dict[str, str]:
    """Returns all there is to say of a named encoder, title → fact; imports no torch.

    Raises:
        RequestError: There is no such name.
    """
    known = checkpoints()
    if name not in known:
        raise RequestError(f"checkpoint: {unknown_name(name, known)}", "speechft list checkpoints")
    published, shipped = known[name], shipped_file(name)
    facts = {"summary": published.summary, "family": family_of(name) or "", "licence": published.license}
    if not published.url:
        return {**facts, "file": str(shipped), "card": str(shipped.with_suffix(".md"))}
    folder = kept_folder(name)
    record = read_record(folder)
    place = f"{folder}, since {record['fetched']}" if record else f"not here yet; the first use fetches it to {folder}"
    return {**facts, "source": published.url, "file": place}


def checkpoint_example(name: str) -> str:
    """Returns a command that uses the name."""
    return _EXAMPLE.format(name=name)
