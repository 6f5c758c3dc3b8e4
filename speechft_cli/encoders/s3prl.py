"""The one door to s3prl: building an encoder from a checkpoint and running it."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.errors import RequestError, SpeechftError


@dataclass(frozen=True)
class Encoded:
    """What an encoder makes of a batch.

    Attributes:
        hidden_states: L + 1 tensors (B, T, D): the Transformer's input, then the output of each of its L layers.
            Frames past an utterance's own count hold whatever padding turned into.
        frame_counts: Frames of each utterance (B,), by the CNN's formula.
    """

    hidden_states: tuple[Tensor, ...]
    frame_counts: Tensor

    @property
    def last(self) -> Tensor:
        """The output of the last layer (B, T, D)."""
        return self.hidden_states[-1]


class Encoder(nn.Module):
    """An s3prl expert behind one interface for all families.

    Never deep-copy or pickle it: s3prl's hooks do not survive that. Build a second one or copy weights.
    """

    def __init__(self, family: EncoderFamily, expert: nn.Module) -> None:
        super().__init__()
        self.family = family
        self.expert = expert

    @property
    def model(self) -> nn.Module:
        """The network itself; its weights carry the names of an EncoderCheckpoint."""
        model = self.expert.model
        assert isinstance(model, nn.Module)
        return model

    @property
    def width(self) -> int:
        """D, the size of a frame's feature vector."""
        return int(self.model.encoder.embedding_dim)  # type: ignore[union-attr, arg-type]

    @property
    def layer_count(self) -> int:
        """L + 1, the number of hidden states."""
        return len(self.model.encoder.layers) + 1  # type: ignore[union-attr, arg-type]

    def forward(self, waveforms: Sequence[Tensor]) -> Encoded:
        """Encodes a batch of waveforms (N_i,), 16 kHz, in [-1, 1].

        Padded batches go through s3prl's own padding, as the published figures did: with a GroupNorm CNN an
        utterance's features depend a little on how much it is padded. A batch of one is never padded.

        Raises:
            SpeechftError: A waveform is too short for a single frame.
        """
        counts = [self.family.frame_count(len(waveform)) for waveform in waveforms]
        if min(counts) == 0:
            shortest = min(len(waveform) for waveform in waveforms)
            raise SpeechftError(f"waveform: must give at least one frame, got {shortest} samples at 16 kHz")
        hidden_states = self.expert(list(waveforms))["hidden_states"]
        return Encoded(tuple(hidden_states), torch.tensor(counts, device=waveforms[0].device))

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights by their checkpoint names, sharing memory with the network."""
        return dict(self.model.state_dict())


def build_encoder(checkpoint: EncoderCheckpoint, *, device: torch.device) -> Encoder:
    """Builds an encoder through s3prl's expert, in evaluation mode.

    Args:
        checkpoint: Complete, that is with configuration.
        device: Where to put it.

    Raises:
        RequestError: It has NaN or Inf in it, or s3prl refuses it.
    """
    broken = [name for name, tensor in checkpoint.weights.items() if not bool(tensor.isfinite().all())]
    if broken:
        more = f" and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise RequestError(
            f"{checkpoint.path or 'weights in memory'}: must be finite, has NaN or Inf in {', '.join(broken[:5])}{more}"
        )
    file = io.BytesIO()
    torch.save(converted.assemble(checkpoint), file)
    file.seek(0)
    try:
        with _quiet():
            expert: nn.Module = _import(checkpoint.family.expert).UpstreamExpert(file)
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise RequestError(
            f"{checkpoint.path or 'weights in memory'}: is no {checkpoint.family.name} that s3prl loads: {error}"
        ) from error
    encoder = Encoder(checkpoint.family, expert)
    return encoder.to(device).eval()


def random_checkpoint(family: EncoderFamily, size: str, *, seed: int) -> EncoderCheckpoint:
    """Makes the checkpoint of a randomly initialised encoder; the same seed gives the same weights.

    Args:
        family: The encoder family.
        size: One of its sizes.
        seed: Of the initialisation; the global random state is left as it was.
    """
    if size not in family.sizes:
        raise RequestError(f"encoder.size: must be one of {', '.join(family.sizes)}, got {size!r}")
    container = dict(family.sizes[size])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _network(family, container)
    return EncoderCheckpoint(family, dict(model.state_dict()), container)


def _network(family: EncoderFamily, container: Mapping[str, object]) -> nn.Module:
    """The bare network of a family, by the same constructor that s3prl's loader calls."""
    convert = _import(family.expert.removesuffix(".expert") + ".convert")
    arguments = [
        convert.merge_with_parent(getattr(convert, reader), container[section]) if reader else container[section]
        for section, reader in family.network_arguments
    ]
    with _quiet():
        network: nn.Module = getattr(convert, family.network)(*arguments)
    return network


def _import(name: str) -> ModuleType:
    # s3prl.hub and s3prl.nn no longer import beside this torchaudio; single experts do
    try:
        with _quiet():
            return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SpeechftError(
            f"{name}: can't be imported: {error}",
            'torch and torchaudio must come from the same release: pip install "torch==2.11.*" "torchaudio==2.11.*"',
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what s3prl's age makes torch say: weight_norm is deprecated, and the like."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
