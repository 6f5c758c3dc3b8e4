"""What `speechft list checkpoints` says: the encoders that have a name, and what else may stand in their place."""

from __future__ import annotations

from speechft_cli.cli.details import Details
from speechft_cli.encoders.base import Published
from speechft_cli.encoders.local import kept_folder
from speechft_cli.encoders.names import checkpoints, family_of, shipped_file
from speechft_cli.errors import RequestError
from speechft_cli.io.kept import read_record
from speechft_cli.registry import Entry, unknown_name

#: What is no name itself but makes one → what it is, where that comes from.
_FORMS = {
    "hf:ORG/NAME[@REVISION]": ("a repository of the Hugging Face hub with config.json and weights", "huggingface.co"),
    "random:FAMILY-SIZE[@SEED]": ("random weights, for evaluate and extract", "speechft list encoders"),
    "logmel": ("80 log mel bands with deltas, for evaluate and extract", "torchaudio"),
    "fbank": ("logmel, normalised over each utterance, for evaluate and extract", "SUPERB's FBANK, arXiv 2105.01051"),
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


def checkpoint_details(name: str) -> tuple[Entry, Details]:
    """Returns all there is to say of a named encoder; imports no torch.

    Raises:
        RequestError: There is no such name.
    """
    known = checkpoints()
    if name in _FORMS:
        return Entry("", *_FORMS[name]), Details((), {}, {}, f"speechft extract {name} data --out features")
    if name not in known:
        raise RequestError(f"checkpoint: {unknown_name(name, known)}", "speechft list checkpoints")
    published = known[name]
    facts = {"family": family_of(name) or "", "licence": published.license, **_whereabouts(name, published)}
    entry = Entry("", published.summary, published.url or "comes with speechft, no download")
    return entry, Details((), facts, {}, _EXAMPLE.format(name=name))


def _whereabouts(name: str, published: Published) -> dict[str, str]:
    if not published.url:
        return {"file": str(shipped_file(name)), "model card": str(shipped_file(name).with_suffix(".md"))}
    folder = kept_folder(name)
    record = read_record(folder)
    if record is None:
        return {"file": f"not here yet; the first use fetches it to {folder}"}
    return {"file": f"{folder}, since {record['fetched']}"}
