"""What is merged, what is kept, and what is refused, on tensors that have no data."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ml_dtypes import bfloat16

from speechft_cli.errors import RequestError
from speechft_cli.io.arrays import Array
from speechft_cli.merging.plan import BUFFER, HEAD, plan_merge


def encoder(width: int = 8, layers: int = 2, dtype: type = np.float32) -> dict[str, Array]:
    weights = {"norm.weight": np.empty(width, dtype=dtype)}
    for layer in range(layers):
        weights[f"encoder.layers.{layer}.attention.weight"] = np.empty((width, width), dtype=dtype)
        weights[f"encoder.layers.{layer}.fc.weight"] = np.empty((4 * width, width), dtype=dtype)
        weights[f"encoder.layers.{layer}.fc.bias"] = np.empty(4 * width, dtype=dtype)
    weights["steps"] = np.empty((), dtype=np.int64)
    weights["final_proj.weight"] = np.empty((5, width), dtype=dtype)
    return weights


def is_head(name: str) -> bool:
    return name.startswith("final_proj")


def refusal(base: dict[str, Array], *tuned: dict[str, Array]) -> str:
    with pytest.raises(RequestError) as caught:
        plan_merge(base, [(f"tuned-{index}.pt", each) for index, each in enumerate(tuned)], is_kept=is_head)
    assert caught.value.exit_code == 2
    return caught.value.message


def test_floats_are_merged_and_the_rest_is_kept_with_a_reason() -> None:
    plan = plan_merge(encoder(), [("tuned.pt", encoder())], is_kept=is_head)
    parts = ("attention.weight", "fc.weight", "fc.bias")
    assert plan.merged == ("norm.weight", *(f"encoder.layers.{n}.{part}" for n in (0, 1) for part in parts))
    assert plan.kept == {"final_proj.weight": HEAD, "steps": BUFFER}


def test_the_pre_training_head_may_be_missing_or_other_or_extra() -> None:
    missing, other, extra = encoder(), encoder(), encoder()
    del missing["final_proj.weight"]
    other["final_proj.weight"] = np.empty((99, 3))
    extra["final_proj.bias"] = np.empty(5)
    plan = plan_merge(encoder(), [("a", missing), ("b", other), ("c", extra)], is_kept=is_head)
    assert "final_proj.bias" not in {*plan.merged, *plan.kept}


def test_other_float_precisions_fit() -> None:
    plan = plan_merge(encoder(), [("tuned.pt", encoder(dtype=bfloat16))], is_kept=is_head)
    assert len(plan.merged) == 7


def test_all_problems_of_all_models_are_said_at_once() -> None:
    first, second = encoder(), encoder()
    del first["norm.weight"]
    first["adapter.weight"] = np.empty(3)
    first["encoder.layers.1.fc.bias"] = np.empty(32, dtype=np.int8)
    second["steps"] = np.empty((), np.float32)
    assert refusal(encoder(), first, second) == (
        "tuned-0.pt: does not fit the base: the tuned checkpoint is of another architecture, or not all of it was "
        "saved\n"
        "  norm.weight: is missing\n"
        "  encoder.layers.1.fc.bias: must be of a kind with float32, got int8\n"
        "  adapter.weight: is not in the base\n"
        "tuned-1.pt: does not fit the base: the tuned checkpoint is stored in another way\n"
        "  steps: must be of a kind with int64, got float32"
    )


def test_another_width_is_said_in_plain_words_and_the_list_is_capped() -> None:
    message = refusal(encoder(width=8, layers=6), encoder(width=24, layers=6))
    assert message.startswith(
        "tuned-0.pt: does not fit the base: the tuned checkpoint is of another size: 24-dim against 8-dim\n"
        "  norm.weight: must have shape (8,), got (24,)\n"
    )
    assert message.endswith("\n  and 9 more")
    assert message.count("\n") == 11


def test_another_depth_is_said_in_plain_words() -> None:
    message = refusal(encoder(layers=2), encoder(layers=3))
    assert "is of another depth: 3 layers against 2\n" in message
    assert "encoder.layers.2.fc.bias: is not in the base" in message


def test_nothing_in_common_is_said_in_plain_words() -> None:
    prefixed = {f"model.{name}": tensor for name, tensor in encoder().items()}
    assert "no name in common, so it is of another family or in another format" in refusal(encoder(), prefixed)


def test_importing_the_catalogue_does_not_import_torch() -> None:
    code = "import sys, speechft_cli.merging as m; list(m.METHODS); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
