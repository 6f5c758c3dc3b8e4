"""Distances of weights by hand."""

from __future__ import annotations

import math

import pytest
import torch

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.probing.drift.weights import WeightDrift, is_comparable, weight_drift


def test_each_layer_has_its_distance_after_everything_outside_the_layers() -> None:
    base = {
        "post_extract_proj.weight": torch.tensor([3.0, 4.0]),
        "encoder.layers.0.fc1.weight": torch.tensor([1.0]),
        "encoder.layers.0.fc2.weight": torch.tensor([2.0]),
        "encoder.layers.1.fc1.weight": torch.tensor([5.0]),
        "final_proj.weight": torch.tensor([1.0]),
        "steps": torch.tensor([3]),
    }
    moved = {
        **base,
        "post_extract_proj.weight": torch.tensor([3.0, 5.0]),
        "encoder.layers.0.fc1.weight": torch.tensor([4.0]),
        "encoder.layers.0.fc2.weight": torch.tensor([6.0]),
        "final_proj.weight": torch.tensor([99.0]),
        "steps": torch.tensor([99]),
    }
    assert weight_drift(base, moved, is_kept=lambda name: name.startswith("final_proj")) == [
        WeightDrift(1.0, 5.0),
        WeightDrift(5.0, pytest.approx(math.sqrt(5))),
        WeightDrift(0.0, 5.0),
    ]


def test_a_distance_is_relative_to_the_bases_weights() -> None:
    assert WeightDrift(1.0, 5.0).relative == 0.2
    assert math.isnan(WeightDrift(1.0, 0.0).relative)


def test_a_layer_for_every_hidden_state(tiny: EncoderCheckpoint) -> None:
    drift = weight_drift(tiny.weights, tiny.weights, is_kept=tiny.family.is_kept)
    layers = {name.split(".")[2] for name in tiny.weights if name.startswith("encoder.layers.")}
    assert [each.distance for each in drift] == [0.0] * (len(layers) + 1)
    assert [each.relative for each in drift] == [0.0] * (len(layers) + 1)


def test_encoders_of_other_shapes_are_not_comparable() -> None:
    base = {"w": torch.zeros(2)}
    assert is_comparable(base, {"w": torch.ones(2)})
    assert not is_comparable(base, {"w": torch.zeros(3)})
    assert not is_comparable({**base, "v": base["w"]}, {**base, "v": torch.zeros(3)})
    assert not is_comparable(base, {"v": torch.zeros(2)})
