"""fairseq's own checkpoint, of pre-training, continued pre-training or fine-tuning: weights lie under `model`.

What was saved of one without its configuration, weights under `model` alone, is read too.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats.converted import as_weights, check_convolutions
from speechft_cli.encoders.formats.huggingface_names import require_ours
from speechft_cli.encoders.recognition import recognise
from speechft_cli.errors import RequestError
from speechft_cli.io.arrays import Array

#: What fairseq puts before the encoder's names in a model with a head for CTC.
_WRAPPED = "w2v_encoder.w2v_model."


def recognises(tree: Mapping[str, object]) -> bool:
    """Whether `tree` is fairseq's: weights with a CNN, and a configuration in sections, a command line, or none."""
    weights, config = tree.get("model"), tree.get("cfg")
    has_cnn = isinstance(weights, dict) and any("feature_extractor." in str(name) for name in weights)
    return has_cnn and ("args" in tree or config is None or (isinstance(config, Mapping) and "model" in config))


def read(tree: Mapping[str, object], family: EncoderFamily | None, path: Path) -> EncoderCheckpoint:
    """Takes the encoder out of fairseq's checkpoint.

    Raises:
        RequestError: It holds no weights, those of no family or of several, or an architecture string with code.
    """
    everything = tree["model"]
    assert isinstance(everything, dict)
    inner = {key: value for key, value in everything.items() if not isinstance(value, np.ndarray)}
    named = as_weights({key: value for key, value in everything.items() if key not in inner}, f"{path}: model")
    if any(name.startswith(_WRAPPED) for name in named):
        named = {name.removeprefix(_WRAPPED): each for name, each in named.items() if name.startswith(_WRAPPED)}
    require_ours(named, str(path))
    model, task = _sections(tree)
    found = family or recognise(named, str(path), config_name=model.get("_name", model.get("arch")))
    weights = {name: each for name, each in named.items() if not name.startswith(found.foreign_prefixes or ("\0",))}
    container = _container(found, model, task, tree, weights)
    if container:
        check_convolutions(container, found, path)
    if found.inner_key in inner:
        container[found.inner_key] = inner[found.inner_key]
    is_whole = "cfg" in tree or "args" in tree
    return EncoderCheckpoint(
        found, Tensors(weights), container, path, "fairseq checkpoint" if is_whole else "file of weights"
    )


def _sections(tree: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Returns the encoder's own configuration and its pre-training task's, however old the checkpoint is."""
    config = tree.get("cfg")
    if not isinstance(config, Mapping):
        arguments = tree.get("args")
        settings = dict(vars(arguments)) if isinstance(arguments, argparse.Namespace) else {}
        config = {"model": settings, "task": settings}
    model, task = (dict(cast("Mapping[str, object]", config.get(key) or {})) for key in ("model", "task"))
    before = model.get("w2v_args")  # a fine-tuned model remembers what it was made of
    if isinstance(before, Mapping) and isinstance(before.get("model"), Mapping):
        return dict(before["model"]), dict(before.get("task") or {})
    if isinstance(before, argparse.Namespace):
        return dict(vars(before)), dict(vars(before))
    return model, task


def _container(
    family: EncoderFamily,
    model: dict[str, object],
    task: dict[str, object],
    tree: Mapping[str, object],
    weights: Mapping[str, Array],
) -> dict[str, object]:
    """Returns the rest of an s3prl checkpoint; empty when fairseq's has no configuration of the encoder."""
    if family.conv_key not in model:
        return {}
    if not family.config_name:
        raise RequestError(f"{family.name}: has no checkpoint of fairseq's", "give the converted one of s3prl")
    model.setdefault("_name", family.config_name)
    container: dict[str, object] = {"task_cfg": task, "model_cfg": model}
    if "dictionaries_symbols" in family.required_keys:
        container["dictionaries_symbols"] = _symbols(tree, weights)
    return container


def _symbols(tree: Mapping[str, object], weights: Mapping[str, Array]) -> list[object]:
    """Returns the names of HuBERT's units, one list per set; made up from the label embeddings when not there."""
    state = tree.get("task_state")
    dictionaries = state.get("dictionaries") if isinstance(state, Mapping) else None
    if isinstance(dictionaries, list) and all(isinstance(each, Mapping) and "symbols" in each for each in dictionaries):
        return [each["symbols"] for each in dictionaries]
    embeddings = weights.get("label_embs_concat")
    return [None] if embeddings is None else [list(map(str, range(len(embeddings))))]
