"""What goes into the linear layers of an encoder: inner products of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from speechft_cli.encoders.encoder import Encoder

#: Products of inputs (N, D) and a transposed weight (D, E), and where in their arguments the two are.
_PRODUCTS: Mapping[object, int] = {torch.ops.aten.mm.default: 0, torch.ops.aten.addmm.default: 1}


@torch.no_grad()
def input_products(encoder: Encoder, waveforms: Iterable[Tensor], names: Sequence[str]) -> dict[str, Tensor]:
    """Returns E[x xᵀ] (D, D) of the inputs x of matrices (E, D), in fp32 on the CPU, over all frames.

    Waveforms are encoded one by one, so that there is no padding among the inputs. Attention does not call its layers
    but multiplies by their weights, which no hook on a module would see; so products are watched where torch computes
    them.

    Args:
        encoder: Put into evaluation mode, and kept from adding a frame to an odd number of them.
        waveforms: (N,) each, 16 kHz, on the encoder's device.
        names: Of the matrices; those that nothing is multiplied by are left out.
    """
    encoder.eval()
    # that frame is masked where frames attend to each other, but the linear layers hear it: one in fifty of a second
    encoder.model.encoder.required_seq_len_multiple = 1  # type: ignore[union-attr]
    weights = encoder.weights()
    watch = _Watch({weights[name].untyped_storage().data_ptr(): name for name in names})
    for waveform in waveforms:
        with watch:
            encoder([waveform])
    return {name: (watch.sums[name] / watch.counts[name]).cpu() for name in names if name in watch.sums}


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums up what is multiplied by some weights."""

    def __init__(self, names: Mapping[int, str]) -> None:
        """Takes the weights' names by where in memory they begin."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._names = names
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # torch's own interface
        place = _PRODUCTS.get(func)
        if place is not None:
            inputs, weight = args[place], args[place + 1]
            name = self._names.get(weight.untyped_storage().data_ptr())
            if name is not None:
                product = (inputs.T @ inputs).float()  # (N, D) -> (D, D)
                self.sums[name] = self.sums[name] + product if name in self.sums else product
                self.counts[name] = self.counts.get(name, 0) + len(inputs)
        return func(*args, **(kwargs or {}))
