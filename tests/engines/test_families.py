"""Every family goes through the whole job, and nobody says what family it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.engines import evaluate, finetune, merge
from speechft_cli.events import ignore
from tests.conftest import make_config
from tests.encoders.layouts import tiny


@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "hubert"])  # which has tests enough
def test_a_family_is_fine_tuned_and_merged(manifests: Path, tmp_path: Path, name: str) -> None:
    base = tiny(name, "base")
    (path,) = save_encoder(base, tmp_path, ["safetensors"], stem="base")
    run, merged = tmp_path / "run", tmp_path / "merged"
    finetune.run(
        make_config(
            encoder__checkpoint=path,
            finetune__task="sid",
            finetune__data=manifests,
            finetune__out=run,
            finetune__steps=2,
            finetune__evaluate_every=2,
            finetune__batch_seconds=4.0,
            finetune__workers=0,
            finetune__device="cpu",
            finetune__learning_rate=1e-3,
        ),
        ignore,
    )
    tuned = read_encoder(run)
    changed = {key for key, tensor in tuned.weights.items() if not torch.equal(tensor, base.weights[key])}
    assert tuned.family is base.family
    assert "encoder.layers.0.fc1.weight" in changed
    assert not any(base.family.is_cnn(key) or base.family.is_untrained(key) for key in changed)

    merge.run(make_config(merge__base=path, merge__tuned=[run], merge__alpha="0.25", merge__out=merged), ignore)
    halfway = read_encoder(merged)
    for key in changed:
        expected = base.weights[key].double() + 0.25 * (tuned.weights[key].double() - base.weights[key].double())
        torch.testing.assert_close(halfway.weights[key].double(), expected, rtol=1e-6, atol=1e-7)


def test_a_family_that_nobody_named_is_probed(manifests: Path, tmp_path: Path) -> None:
    (path,) = save_encoder(tiny("distilhubert", "base"), tmp_path, ["safetensors"], stem="base")
    result = evaluate.run(
        make_config(
            evaluate__models={"base": str(path)},
            evaluate__tasks=["sid"],
            evaluate__learning_rates={"sid": [1e-2]},
            evaluate__data=manifests,
            evaluate__out=tmp_path / "report",
            evaluate__device="cpu",
        ),
        ignore,
    )
    assert result.data


def test_a_tuned_model_without_the_mask_embedding_leaves_the_bases_alone(tmp_path: Path) -> None:
    base = tiny("hubert", "base", seed=1)
    tuned = base.with_weights({key: tensor + 0.01 * torch.rand(tensor.shape) for key, tensor in base.weights.items()})
    (path,) = save_encoder(base, tmp_path, ["s3prl"], stem="base")
    (folder,) = save_encoder(tuned, tmp_path, ["hf"], stem="tuned")
    (folder / "speechft.safetensors").unlink()
    tensors = load_file(folder / "model.safetensors")
    del tensors["masked_spec_embed"]
    save_file(tensors, folder / "model.safetensors")
    out = tmp_path / "merged"
    merge.run(make_config(merge__base=path, merge__tuned=[folder], merge__alpha="0.5", merge__out=out), ignore)
    merged = read_encoder(out).weights

    assert torch.equal(merged["mask_emb"], base.weights["mask_emb"])
    assert torch.equal(merged["final_proj.bias"], base.weights["final_proj.bias"])
    assert not torch.equal(merged["layer_norm.bias"], base.weights["layer_norm.bias"])
