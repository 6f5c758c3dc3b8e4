"""Low-rank adapters by peft on an encoder of s3prl, and how they become plain weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners import lora
from torch import Tensor, nn

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.errors import RequestError
from speechft_cli.training.strategies.base import Attached, StrategySettings

_ADAPTER = "default"


class _EffectiveLinear(lora.Linear):
    """A linear layer whose `weight` is what base and adapter come to, and carries their gradients.

    s3prl's attention never calls its projections: it hands their `weight` to torch's attention. peft's own layers give
    the base's weight there, so that their adapters would have no effect, and no gradient, without an error.
    """

    @property
    def weight(self) -> Tensor:
        """The effective weight (out, in)."""
        base = cast(Tensor, self.base_layer.weight)
        whole: Tensor = base + self.get_delta_weight(_ADAPTER)
        if not self.use_dora[_ADAPTER]:
            return whole
        # DoRA, section 4.3: the norm counts as a constant for the gradient
        norm = torch.linalg.norm(whole, dim=1, keepdim=True).detach()
        magnitude = cast(Tensor, self.lora_magnitude_vector[_ADAPTER].weight)
        directed: Tensor = magnitude[:, None] / norm * whole
        return directed

    def forward(self, features: Tensor) -> Tensor:
        """Applies the layer, for targets that are called."""
        return nn.functional.linear(features, self.weight, cast("Tensor | None", self.base_layer.bias))


def attach_adapters(
    encoder: Encoder, names: Sequence[str], base: Mapping[str, Tensor], *, settings: StrategySettings, use_dora: bool
) -> Attached:
    """Puts adapters on the linear layers named in the settings; of the encoder only they train.

    Args:
        encoder: Holds the base's weights.
        names: Parameters that may train; others get no adapter.
        base: Unused: the encoder holds it.
        settings: Rank, scale and targets.
        use_dora: Whether to train each row's length as well.

    Raises:
        RequestError: The encoder has no such layer.
    """
    del base
    model = encoder.model
    plain_names = list(encoder.weights())
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.split(".")[-1] in settings.lora_targets and f"{name}.weight" in names
    ]
    if not linear:
        raise RequestError(
            f"finetune.lora_targets: must name linear layers of {encoder.family.name}, got "
            f"{', '.join(settings.lora_targets)}",
            "for example q_proj, k_proj, v_proj, out_proj, fc1, fc2",
        )
    config = LoraConfig(
        r=settings.lora_rank, lora_alpha=settings.lora_alpha, target_modules=linear, use_dora=use_dora, bias="none"
    )
    config._register_custom_module({nn.Linear: _EffectiveLinear})
    inject_adapter_in_model(config, model, _ADAPTER)
    trained = tuple(name for name, _ in model.named_parameters() if ".lora_" in name)

    def weights() -> dict[str, Tensor]:
        adapted = {f"{name}.weight": cast(Tensor, model.get_submodule(name).weight).detach() for name in linear}
        held = {name.replace(".base_layer.", "."): tensor for name, tensor in model.state_dict().items()}
        return {name: adapted.get(name, held[name]) for name in plain_names}

    def adapters() -> dict[str, Tensor]:
        return {name: tensor for name, tensor in model.state_dict().items() if ".lora_" in name}

    return Attached(trained, weights, adapters=adapters)


def describe(settings: StrategySettings) -> str:
    """Says what the adapters are, for the plan."""
    return f"rank {settings.lora_rank}, alpha {settings.lora_alpha}, on {', '.join(settings.lora_targets)}"
