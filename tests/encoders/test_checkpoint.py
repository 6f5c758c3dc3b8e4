from __future__ import annotations

import argparse
from dataclasses import replace
from typing import cast

import numpy as np

from speechft_cli.encoders.checkpoint import EncoderCheckpoint


def configured(tiny: EncoderCheckpoint, section: str, **changed: object) -> EncoderCheckpoint:
    before = cast("dict[str, object]", tiny.container[section])
    return replace(tiny, container={**tiny.container, section: {**before, **changed}})


def test_a_configuration_is_known_by_what_features_depend_on(tiny: EncoderCheckpoint) -> None:
    known = tiny.configuration_hash
    assert configured(tiny, "task_cfg", normalize=True).configuration_hash != known
    assert configured(tiny, "model_cfg", activation_fn="relu").configuration_hash != known
    assert configured(tiny, "task_cfg", data="/their/disk").configuration_hash == known
    section = cast("dict[str, object]", tiny.container["model_cfg"])
    turned = dict(reversed(section.items()))
    assert replace(tiny, container={**tiny.container, "model_cfg": turned}).configuration_hash == known


def test_what_other_software_leaves_in_a_configuration_has_a_hash(tiny: EncoderCheckpoint) -> None:
    def hash_of(rate: float) -> str:
        odd = {1: (1, 2), "rate": np.float32(rate), "of": argparse.Namespace(a=[np.int64(1)]), "set": b"x"}
        return configured(tiny, "model_cfg", odd=odd).configuration_hash

    assert hash_of(0.5) == hash_of(0.5) != hash_of(0.25)
