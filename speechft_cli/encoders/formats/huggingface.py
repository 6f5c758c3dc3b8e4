"""A Hugging Face folder: what `from_pretrained` of transformers loads.

What transformers has no place for (pre-training heads, the rest of fairseq's configuration) lies beside its files in
`speechft.safetensors`, so that the way back to s3prl gives the same file again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats import safetensors
from speechft_cli.encoders.formats.base import OutputFormat
from speechft_cli.encoders.formats.huggingface_config import preprocessor, to_config, to_container
from speechft_cli.encoders.formats.huggingface_names import encoder_name, head_name, modern
from speechft_cli.encoders.recognition import all_families
from speechft_cli.errors import RequestError, itemised
from speechft_cli.io.arrays import Array
from speechft_cli.io.checkpoints import read_arrays

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"
#: What the format is called in messages and records.
NAME = "Hugging Face folder"
#: Our own file in the folder.
REST = "speechft.safetensors"
#: What the names of the bare encoder's weights begin with.
_PARTS = ("encoder.", "feature_extractor.", "feature_projection.")
#: Where transformers looks for weights, in its order; an index lists the parts of a large model.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def recognises(folder: Path) -> bool:
    """Whether a folder is one of transformers'."""
    return (folder / CONFIG).is_file()


def require(checkpoint: EncoderCheckpoint) -> None:
    """Makes sure that transformers has a home for an encoder.

    Raises:
        RequestError: It hasn't.
    """
    if checkpoint.family.home is None:
        raise RequestError(
            f"{checkpoint.family.name}: has no home in transformers, so it can't be written as a Hugging Face folder",
            "--format s3prl and --format safetensors hold every family",
        )
    to_config(checkpoint.family, checkpoint.container)


def save(checkpoint: EncoderCheckpoint, path: Path, metadata: Mapping[str, str] | None = None) -> dict[Path, str]:
    """Writes the bare encoder into an empty folder that nobody reads yet.

    Returns:
        File → SHA-256 as hex, of those with weights.

    Raises:
        RequestError: transformers has no home for the family.
        OSError: A file can't be written.
    """
    require(checkpoint)
    family = checkpoint.family
    config = to_config(family, checkpoint.container)
    path.mkdir(exist_ok=True)
    arrays = checkpoint.arrays
    named = {name: encoder_name(name) for name in arrays}
    encoder = {theirs: arrays[name] for name, theirs in named.items() if theirs is not None}
    rest = {name: arrays[name] for name, theirs in named.items() if theirs is None}
    parts = {WEIGHTS: (encoder, {"format": "pt"}), REST: (rest, safetensors.notes(checkpoint))}
    hashes = {
        path / name: safetensors.write_tensors(each, path / name, {**(metadata or {}), **own})
        for name, (each, own) in parts.items()
    }
    for name, content in ((CONFIG, config), (PREPROCESSOR, preprocessor(family, checkpoint.container))):
        (path / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return hashes


def read(folder: Path, *, trust: bool = False) -> EncoderCheckpoint:
    """Reads the encoder from a folder of transformers: bare, or wrapped in a model with a head.

    Args:
        folder: With config.json and weights, in one file or several.
        trust: Whether a `.bin` may execute code while it is read.

    Raises:
        RequestError: A file is missing or damaged, or transformers' model is none that s3prl has a network for.
    """
    from speechft_cli.encoders.s3prl import expected_shapes  # which builds the network, and so needs torch

    config = _read_json(folder / CONFIG)
    family, home = _family(config, folder / CONFIG)
    tensors, file = _read_weights(folder, trust=trust)
    tensors = _bare(tensors, f"{home.prefix}.")
    prepared = _read_json(folder / PREPROCESSOR) if (folder / PREPROCESSOR).is_file() else {}
    normalizes = prepared.get("do_normalize")
    container = to_container(
        family, config, str(folder / CONFIG), normalizes=None if normalizes is None else bool(normalizes)
    )
    rest, ours = _read_rest(folder, family, config)
    empty = EncoderCheckpoint(family, {}, ours or container, file, NAME)
    weights, filled = _matched(tensors, rest, expected_shapes(empty), empty)
    return replace(empty, weights=Tensors(weights), filled=filled)


def _matched(
    tensors: Mapping[str, Array],
    rest: Mapping[str, Array],
    expected: Mapping[str, Sequence[int]],
    empty: EncoderCheckpoint,
) -> tuple[dict[str, Array], frozenset[str]]:
    """Returns the weights under s3prl's names, and which of them are zeros as nobody has them.

    Args:
        tensors: By transformers' names.
        rest: What we left beside them, by s3prl's names.
        expected: Name → shape of what s3prl's network has.
        empty: The encoder without weights.

    Raises:
        RequestError: They are not those of the network.
    """
    weights, filled = {}, set()
    problems = [f"{name}: is unknown to s3prl" for name in _unknown(tensors, expected)]
    for name, shape in expected.items():
        theirs = encoder_name(name) or head_name(name) or name
        if theirs in tensors:
            weights[name] = tensors[theirs]
        elif name in rest:
            weights[name] = rest[name]
        elif empty.family.is_untrained(name):
            weights[name] = np.zeros(shape, np.float32)
            filled.add(name)
        else:
            problems.append(f"{theirs}: is missing")
            continue
        if weights[name].shape != shape:
            problems.append(f"{theirs}: must have shape {tuple(shape)}, has {tuple(weights[name].shape)}")
    if problems:
        raise RequestError(f"{empty.path}: does not hold the encoder that {CONFIG} describes{itemised(problems)}")
    return weights, frozenset(filled)


def _bare(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Returns weights as the bare encoder calls them, `encoder…`; in a model with a head it is `hubert.encoder…`."""
    named = {modern(name): tensor for name, tensor in tensors.items()}
    inner = {name.removeprefix(prefix): tensor for name, tensor in named.items() if name.startswith(prefix)}
    # a head may have the encoder's names for other things: that of speaker verification, a layer `feature_extractor`
    outer = {name: tensor for name, tensor in named.items() if not (inner and name.startswith((prefix, *_PARTS)))}
    return outer | inner


def _unknown(tensors: Iterable[str], expected: Iterable[str]) -> list[str]:
    """Returns the names of the encoder's tensors that s3prl has no place for."""
    known = {encoder_name(name) for name in expected}
    return [name for name in tensors if name.startswith(_PARTS) and name not in known]


def _family(config: Mapping[str, object], where: Path) -> tuple[EncoderFamily, HuggingFaceHome]:
    homes = {family.home.model_type: (family, family.home) for family in all_families() if family.home is not None}
    model_type = str(config.get("model_type"))
    if model_type not in homes:
        raise RequestError(
            f"{where}: model_type must be one of {', '.join(homes)}, got {model_type!r}",
            "speechft list encoders says more of the families",
        )
    return homes[model_type]


def _read_weights(folder: Path, *, trust: bool) -> tuple[dict[str, Array], Path]:
    for name in WEIGHT_FILES:
        if not (folder / name).is_file():
            continue
        if not name.endswith(".json"):
            return _read_part(folder / name, trust=trust), folder / name
        parts = _read_json(folder / name).get("weight_map")
        if not isinstance(parts, dict):
            raise RequestError(f"{folder / name}: must have a weight_map, has none")
        tensors: dict[str, Array] = {}
        for part in sorted(set(map(str, parts.values()))):
            # the name of a part is somebody else's word: only files of this folder are read
            tensors |= _read_part(folder / Path(part).name, trust=trust)
        return tensors, folder / name
    raise RequestError(
        f"{folder}: must have weights beside {CONFIG}: one of {', '.join(WEIGHT_FILES)}", "download them too"
    )


def _read_part(path: Path, *, trust: bool) -> dict[str, Array]:
    if path.suffix == ".safetensors":
        return safetensors.read_tensors(path)[0]
    return {name: value for name, value in read_arrays(path, trust=trust).items() if isinstance(value, np.ndarray)}


def _read_rest(
    folder: Path, family: EncoderFamily, config: Mapping[str, object]
) -> tuple[dict[str, Array], dict[str, object]]:
    """Returns what we left beside transformers' files, if it still belongs to them."""
    if not (folder / REST).is_file():
        return {}, {}
    tensors, notes = safetensors.read_tensors(folder / REST)
    container = safetensors.container_of(notes, folder / REST)
    if notes.get(safetensors.FAMILY) != family.name:
        return {}, {}
    ours = to_config(family, container)
    # somebody may have put another encoder into the folder since
    return (tensors, container) if all(config.get(key) == value for key, value in ours.items()) else ({}, {})


def _read_json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: must be JSON, can't be read: {error}") from error
    if not isinstance(content, dict):
        raise RequestError(f"{path}: must be a JSON object, is {type(content).__name__}")
    return content


HUGGING_FACE = OutputFormat("-hf", save, require)
