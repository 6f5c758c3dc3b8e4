from __future__ import annotations

import pytest
from pydantic import ValidationError

from speechft_cli.merging import METHODS
from speechft_cli.merging.filters import (
    PRESETS,
    Filter,
    at_depth,
    choose,
    depths,
    group_of,
    layer_of,
    matcher,
    matches,
    override,
)

CNN = "feature_extractor.conv_layers.0.0.weight"
KERNEL = "encoder.pos_conv.0.weight_v"


def layer(number: int, rest: str) -> str:
    return f"encoder.layers.{number}.{rest}"


def test_a_gradient_goes_in_straight_lines_through_its_points() -> None:
    assert [at_depth([0.3], depth) for depth in (0, 0.5, 1)] == [0.3, 0.3, 0.3]
    assert [at_depth([0, 1], depth) for depth in (0, 0.25, 1)] == [0, 0.25, 1]
    # the middle point of three is the middle layer's
    assert [at_depth([1, 0, 4], depth) for depth in (0, 0.25, 0.5, 0.75, 1)] == [1, 0.5, 0, 2, 4]


def test_alpha_is_scaled_or_replaced_but_never_at_the_base() -> None:
    assert Filter("*").alpha_of(0.25, 0.5) == 0.25
    assert Filter("*", scale=(0.5,)).alpha_of(0.25, 0.0) == 0.125
    assert Filter("*", scale=(0, 1)).alpha_of(0.5, 0.5) == 0.25
    assert Filter("*", alpha=(0.7,)).alpha_of(0.25, 0.3) == 0.7
    assert Filter("*", alpha=(0, 1)).alpha_of(0.25, 0.25) == 0.25
    assert Filter("*", alpha=(0.7,)).alpha_of(0.0, 0.3) == 0.0


def test_depth_is_counted_from_the_first_layer_to_the_last() -> None:
    names = [CNN, layer(0, "fc1.weight"), layer(1, "fc1.weight"), layer(4, "fc1.weight")]
    assert depths(names) == dict(zip(names, (0.0, 0.0, 0.25, 1.0), strict=True))
    assert depths([layer(0, "fc1.weight"), CNN]) == {layer(0, "fc1.weight"): 0.0, CNN: 0.0}  # one layer, or none
    assert [layer_of(name) for name in (CNN, layer(11, "fc1.weight"))] == [None, 11]


def test_parts_are_layers_and_what_lies_beside_them() -> None:
    names = (CNN, KERNEL, layer(3, "fc1.weight"), "mask_emb", "encoder.layer_norm.weight")
    assert [group_of(name) for name in names] == [
        "feature_extractor", "encoder.pos_conv", "layers.3", "mask_emb", "encoder.layer_norm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("match", "meant"),
    [
        ("cnn", {CNN}),
        ("pos_conv", {KERNEL}),
        ("attention", {layer(1, "self_attn.k_proj.bias")}),
        ("feed_forward", {layer(2, "fc1.weight")}),
        ("norm", {layer(12, "final_layer_norm.weight")}),
        ("bias", {layer(1, "self_attn.k_proj.bias")}),
        ("layers", {layer(1, "self_attn.k_proj.bias"), layer(2, "fc1.weight"), layer(12, "final_layer_norm.weight")}),
        ("layer 1", {layer(1, "self_attn.k_proj.bias")}),
        ("layers 1-2", {layer(1, "self_attn.k_proj.bias"), layer(2, "fc1.weight")}),
        ("layers 3-12", {layer(12, "final_layer_norm.weight")}),
        (r"re:fc\d", {layer(2, "fc1.weight")}),
        ("encoder.pos*", {KERNEL}),
        ("pos*", set()),  # a glob is of the whole name
    ],
)
def test_a_match_means(match: str, meant: set[str]) -> None:
    names = [
        CNN,
        KERNEL,
        layer(1, "self_attn.k_proj.bias"),
        layer(2, "fc1.weight"),
        layer(12, "final_layer_norm.weight"),
    ]
    assert {name for name in names if matches(match, name)} == meant


def test_every_preset_was_asked_above() -> None:
    assert set(PRESETS) == {"cnn", "pos_conv", "attention", "feed_forward", "norm", "bias", "layers"}


@pytest.mark.parametrize(("match", "message"), [("re:(", "regular expression"), ("layers 3-2", "counted from 0")])
def test_a_match_that_means_nothing_is_refused(match: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matcher(match)


def test_the_first_filter_that_means_a_tensor_counts() -> None:
    method = METHODS.get("ties").model_validate({"density": 0.2})
    norms, layers = Filter("norm", parameters={"density": 0.9}), Filter("layers", scale=(0.5,))
    names = [CNN, layer(0, "fc1.weight"), layer(0, "final_layer_norm.weight")]
    chosen = choose(method, [norms, layers], names)
    assert [chosen[name].filter.match for name in names] == ["*", "layers", "norm"]
    assert [chosen[name].method.model_dump()["density"] for name in names] == [0.2, 0.2, 0.9]


def test_other_parameters_are_held_to_the_methods_own_rules() -> None:
    method = METHODS.get("ties").model_validate({"density": 0.2, "lambda": 0.5})
    assert override(method, {}) is method
    assert override(method, {"density": 0.3}).model_dump(by_alias=True) == {
        **method.model_dump(by_alias=True), "density": 0.3,
    }  # fmt: skip
    with pytest.raises(ValidationError):
        override(method, {"densty": 0.3})
