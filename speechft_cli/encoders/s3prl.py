"""The one door to s3prl: building an encoder from a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import cast

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.dimensions import read_dimensions
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.quiet import quiet
from speechft_cli.errors import RequestError, SpeechftError, itemised
from speechft_cli.io.checkpoints import with_tensors

#: What torch says of the ways of s3prl's networks, which no user can change.
_OLD_WAYS = ("Support for mismatched key_padding_mask",)


def build_encoder(checkpoint: EncoderCheckpoint, *, device: torch.device, exact_padding: bool = False) -> Encoder:
    """Builds an encoder through s3prl's expert, in evaluation mode, without gradients through its CNN.

    Args:
        checkpoint: Complete, that is with configuration.
        device: Where to put it.
        exact_padding: Whether an utterance's features in a batch are those it has alone; see `Encoder`.

    Raises:
        RequestError: It has NaN or Inf in it, does not fit its own configuration, or s3prl refuses it.
    """
    tree = cast("dict[str, object]", with_tensors(checkpoint.tree()))
    checkpoint.require_finite()
    dimensions = None
    if not checkpoint.family.configuration:
        check_fit(checkpoint)  # s3prl loads DeCoAR 2.0 with strict=False: any file would do
        dimensions = read_dimensions(checkpoint.weights)
    file = io.BytesIO()
    torch.save(tree, file)
    file.seek(0)
    try:
        with quiet(), _hard_coded(dimensions):
            expert: nn.Module = _import(checkpoint.family.expert).UpstreamExpert(file)
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        check_fit(checkpoint)  # says it better
        raise RequestError(f"{checkpoint.where}: is no {checkpoint.family.name} that s3prl loads: {error}") from error
    for message in _OLD_WAYS:  # said at each forward pass, so silenced for good
        warnings.filterwarnings("ignore", message=message)
    configuration = checkpoint.configuration_hash
    encoder = Encoder(checkpoint.family, expert, configuration=configuration, exact_padding=exact_padding)
    if checkpoint.family.cnn_prefixes:
        # most experts set this themselves; DistilHuBERT's lets its CNN train
        encoder.model.feature_grad_mult = 0.0  # type: ignore[assignment]
    return encoder.to(device).eval()


def random_checkpoint(family: EncoderFamily, size: str, *, seed: int) -> EncoderCheckpoint:
    """Makes the checkpoint of a randomly initialised encoder; the same seed gives the same weights.

    Args:
        family: The encoder family.
        size: One of its sizes.
        seed: Of the initialisation; the global random state is left as it was.

    Raises:
        RequestError: The family has no such size.
    """
    if size not in family.sizes:
        raise RequestError(f"encoder.size: must be one of {', '.join(family.sizes)} for {family.name}, got {size!r}")
    sections = dict(family.sizes[size])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(family, sections)
    with quiet():
        weights = dict(network.state_dict())
    return EncoderCheckpoint(family, weights, {key: sections[key] for key in family.required_keys if key in sections})


def expected_shapes(checkpoint: EncoderCheckpoint) -> dict[str, torch.Size]:
    """Returns name → shape of the weights that a checkpoint's configuration asks for.

    Raises:
        RequestError: s3prl can't make a network of the configuration.
    """
    sections = dict(checkpoint.container) or {"args": read_dimensions(checkpoint.weights)}
    try:
        # no memory, no numbers; the meta device would do but for WavLM's initialisation, which goes through the CPU
        with torch.random.fork_rng(devices=[]), FakeTensorMode():
            network = _network(checkpoint.family, sections)
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{checkpoint.where}: has a configuration that makes no {checkpoint.family.name}: {error!r}"
        ) from error
    with quiet():
        return {name: tensor.shape for name, tensor in network.state_dict().items()}


def check_fit(checkpoint: EncoderCheckpoint) -> None:
    """Makes sure that a checkpoint's weights are those that its configuration asks for; s3prl does not always.

    Raises:
        RequestError: They aren't; says which are missing, too many or of another shape.
    """
    expected = expected_shapes(checkpoint)
    found = {name: tensor.shape for name, tensor in checkpoint.weights.items()}
    problems = [f"{name}: is missing" for name in expected if name not in found]
    problems += [
        f"{name}: is unknown"
        for name in found
        if name not in expected and not (checkpoint.family.network_prefixes and checkpoint.family.is_kept(name))
    ]
    problems += [
        f"{name}: must have shape {tuple(shape)}, got {tuple(found[name])}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if problems:
        raise RequestError(
            f"{checkpoint.where}: is no {checkpoint.family.name} that s3prl loads: its weights don't fit its "
            f"configuration{itemised(problems)}",
            "is it of that family and size? copy or download it again, or give another --base",
        )


def _network(family: EncoderFamily, sections: Mapping[str, object]) -> nn.Module:
    """The bare network of a family, by the constructor that s3prl's loader calls."""
    module_name, class_name = family.network.split(":")
    module = _import(module_name)
    arguments = [
        _argument(family.section(sections, path), getattr(module, reader) if reader else None)
        for path, reader in family.network_arguments
    ]
    with quiet(), _hard_coded(cast("Mapping[str, int] | None", sections.get("args"))):
        network: nn.Module = getattr(module, class_name)(*arguments)
        if family.inner_key:
            network.remove_pretraining_modules()  # type: ignore[operator]  # as s3prl's loader does
    return network


def _argument(section: object, reader: Callable[..., object] | None) -> object:
    """One argument of a network's constructor: a section of the checkpoint, perhaps through the class that reads it."""
    if reader is None:
        return section
    if not dataclasses.is_dataclass(reader):
        return reader(section)
    # s3prl passes over what the dataclass does not know
    known = {each.name for each in dataclasses.fields(reader)}
    settings = cast("Mapping[str, object]", section)
    return reader(**{name: value for name, value in settings.items() if name in known})


def _import(name: str) -> ModuleType:
    # s3prl.hub and s3prl.nn no longer import beside this torchaudio; single experts do
    try:
        with quiet():
            return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SpeechftError(
            f"{name}: can't be imported: {error}",
            'torch and torchaudio must come from the same release: pip install "torch==2.11.*" "torchaudio==2.11.*"',
        ) from error


@contextlib.contextmanager
def _hard_coded(dimensions: Mapping[str, int] | None) -> Iterator[None]:
    """Replaces, for a while, the numbers that s3prl hard-codes for DeCoAR 2.0; None leaves them."""
    if dimensions is None:
        yield
        return
    arguments: dict[str, object] = _import("s3prl.upstream.decoar2.decoar2").args
    before = dict(arguments)
    if arguments["encoder_embed_dim"] == dimensions["encoder_embed_dim"]:
        # the number of heads leaves no trace in the weights
        dimensions = {key: value for key, value in dimensions.items() if key != "encoder_attention_heads"}
    arguments.update(dimensions)
    try:
        yield
    finally:
        arguments.clear()
        arguments.update(before)
